/** Resampling filters, by sharp's names. All but 'nearest' widen with the reduction, as Pillow's do. */
export type ResizeKernel = 'nearest' | 'linear' | 'cubic' | 'mitchell' | 'lanczos2' | 'lanczos3';

/** How an image becomes the input of a network. */
export interface Preprocess {
  /** The shorter side becomes `shorterSide` pixels, the longer one floor(shorterSide * longer / shorter). */
  resize: { shorterSide: number; kernel: ResizeKernel };
  /** Taken from the centre of the resized image, in pixels. */
  crop: { width: number; height: number };
  channelOrder: 'RGB' | 'BGR';
  /** value = (pixel * scale - mean) / std with pixel in 0..255; `mean` and `std` are in `channelOrder`. */
  scale: number;
  mean: [number, number, number];
  std: [number, number, number];
}
