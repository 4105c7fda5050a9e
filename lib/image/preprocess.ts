/** Resampling filters, by sharp's names. All but 'nearest' widen with the reduction, as Pillow's do. */
export type ResizeKernel = 'nearest' | 'linear' | 'cubic' | 'mitchell' | 'lanczos2' | 'lanczos3';

/** How an image becomes the input of a network. */
export interface Preprocess {
  /** The shorter side becomes `shorterSide` pixels, the longer one floor(shorterSide * longer / shorter). */
  resize: { shorterSide: number; kernel: ResizeKernel };
  /** Taken from the centre of the resized image, in pixels; a crop up to shorterSide fits every image. */
  crop: { width: number; height: number };
  /** Of the network's three input channels. */
  channelOrder: 'RGB' | 'BGR';
  /** value = (pixel * scale - mean) / std with pixel in 0..255. */
  scale: number;
  /** In units of pixel * scale, in `channelOrder`. */
  mean: [number, number, number];
  /** In units of pixel * scale, in `channelOrder`. */
  std: [number, number, number];
}

export interface Size {
  width: number;
  height: number;
}

/** A rectangle in pixels; `left` and `top` count from the top left corner. */
export interface Window extends Size {
  left: number;
  top: number;
}

/** The size after resizing, rounded as torchvision's Resize does. */
export function resizedSize({ width, height }: Size, shorterSide: number): Size {
  const shorter = Math.min(width, height);
  return { width: Math.floor((shorterSide * width) / shorter), height: Math.floor((shorterSide * height) / shorter) };
}

/** The centre crop, rounded as torchvision's CenterCrop does. `crop` must fit into `size`. */
export function centreCrop(size: Size, crop: Size): Window {
  return {
    left: roundHalfToEven((size.width - crop.width) / 2),
    top: roundHalfToEven((size.height - crop.height) / 2),
    width: crop.width,
    height: crop.height,
  };
}

/** Python's round(): half a pixel is common here, and the other choice shifts the whole image by one. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}
