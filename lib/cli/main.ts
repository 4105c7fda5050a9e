#!/usr/bin/env node
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { imageSides, type ImageSize } from '../network/complexity';
import type { Groups } from '../network/options';
import { benchCommand, type BenchCommandOptions } from './bench';
import { classifyCommand, type ClassifyCommandOptions } from './classify';
import { convertCommand, type ConvertCommandOptions } from './convert';
import { evaluateCommand, type EvaluateCommandOptions } from './evaluate';
import { exportCommand, type ExportCommandOptions } from './export';
import { formats } from './formats';
import { infoCommand, type InfoCommandOptions } from './info';
import { report } from './output';
import { profileCommand, type ProfileCommandOptions } from './profile';
import { runCommand, type RunCommandOptions } from './run';
import { tableCommand, type TableCommandOptions } from './table';
import { UsageError } from './usage-error';

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(
      max === Infinity ? `Expected a whole number from ${min}.` : `Expected a whole number from ${min} to ${max}.`,
    );
  };
}

function decimal(text: string): number {
  if (!/^\d*\.?\d+$/.test(text)) throw new InvalidArgumentError('Expected a number such as 0.5.');
  return Number(text);
}

function seconds(text: string): number {
  const value = decimal(text);
  if (value >= 0.01 && value <= 600) return value;
  throw new InvalidArgumentError('Expected 0.01 to 600 seconds.');
}

function imageSize(text: string): Required<ImageSize> {
  const [height = 0, width = 0] = /^(\d+)x(\d+)$/.exec(text)?.slice(1).map(Number) ?? [];
  const { min, max } = imageSides;
  if ([height, width].every((side) => side >= min && side <= max)) return { height, width };
  throw new InvalidArgumentError(`Expected HEIGHTxWIDTH such as 224x224, each from ${min} to ${max}.`);
}

const weights = () =>
  new Option('--weights <file>', "weights, of any format and family that is known (default: the package's own)");
const family = () =>
  new Option(
    '--family <name>',
    'whose layout and conventions the weights have, such as megvii (default: as they look)',
  );
const labels = () =>
  new Option('--labels <file>', 'names of the classes, in order: text with a name or synset and name a line, or JSON');
const threads = () => new Option('--threads <n>', 'threads per image').argParser(integer(1, 1024)).default(1);
const precision = () =>
  new Option('--precision <precision>', 'fp16 lets activations and weights be halves, where the CPU computes with them')
    .choices(['fp32', 'fp16'])
    .default('fp32');

function program(): Command {
  const { version } = require('../../../package.json') as { version: string };
  const shufflenet = new Command('shufflenet')
    .description('ShuffleNet V1 on this CPU: tells what is in a photo.')
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'shufflenet: ')) })
    .showHelpAfterError('(--help tells how to use it)')
    .addHelpText(
      'after',
      `
Examples:
  $ shufflenet classify photo.jpg
  $ shufflenet classify --top 3 --json photos/
  $ shufflenet run --input images.npy --output logits.npy
  $ shufflenet evaluate photos/
  $ shufflenet table --groups 8 --scale 0.5
  $ shufflenet convert 1.0x.pth.tar shufflenet.safetensors
  $ shufflenet info
  $ shufflenet profile --size 224x224
  $ shufflenet bench

Environment:
  SHUFFLENET_ISA  instruction set to use instead of the best: scalar, avx2, avx512, neon or
                  neonfp16

Exit codes: 0 done, 1 work failed, 2 wrong usage, 130 stopped by Ctrl-C.`,
    );

  shufflenet
    .command('classify')
    .description('print the likeliest classes of images')
    .addArgument(
      new Argument(
        '<image...>',
        'image files (JPEG, PNG, WebP, AVIF, GIF, TIFF), folders of them, ' +
          'patterns such as "photos/**/*.jpg", and - for a list of files on standard input, one per line',
      ),
    )
    .addOption(weights())
    .addOption(family())
    .addOption(labels())
    .addOption(new Option('--top <n>', 'classes for each image (default: 5)').argParser(integer(1, Infinity)))
    .option('-r, --recursive', 'take the subfolders of folders too')
    .option('-0, --null', 'the list on standard input is separated by NUL, as by find -print0')
    .addOption(
      new Option(
        '--format <format>',
        'for people, one JSON object per line, or one CSV row per class ' + '(default: table)',
      ).choices(Object.keys(formats)),
    )
    .addOption(new Option('--json', 'the same as --format jsonl').conflicts('format'))
    .addOption(
      new Option('--concurrency <n>', 'images at once (default: by the number of cores)').argParser(integer(1, 1024)),
    )
    .addOption(threads())
    .addOption(precision())
    .addHelpText(
      'after',
      `
Results are printed in the order of the images, each as soon as it is there. JSON lines are
{ image, predictions: [{ label, score, index }] } or { image, error: { code, message } };
CSV columns are image, rank, label, index, score and error.

Images that cannot be classified are reported on stderr and passed over; the exit code is then 1.
Ctrl-C stops after what is printed, with exit code 130 (143 for SIGTERM); a second one stops at once.
While stderr is a terminal it shows the progress of more than one image.

Examples:
  $ shufflenet classify photo.jpg
  $ shufflenet classify --recursive --json photos/ > found.jsonl
  $ shufflenet classify --weights my.safetensors --top 1 "photos/**/*.webp"
  $ find photos -name '*.jpg' -print0 | shufflenet classify --null --format csv - > found.csv`,
    )
    .action((images: string[], options: ClassifyCommandOptions) => classifyCommand(images, options));

  shufflenet
    .command('evaluate')
    .description('measure the top-1 and top-5 error on images whose classes are known')
    .argument('<folder>', 'a folder with a folder for each class, called by synset, label or index')
    .addOption(
      new Option('--truth <file>', 'the folder holds the images of all classes, and this file tells the class of each'),
    )
    .addOption(weights())
    .addOption(family())
    .addOption(labels())
    .addOption(
      new Option('--concurrency <n>', 'images at once (default: by the number of cores)').argParser(integer(1, 1024)),
    )
    .addOption(threads())
    .addOption(precision())
    .option('--json', 'print JSON: every class, every pair that was confused, every image that failed')
    .addHelpText(
      'after',
      `
Lines of --truth: "image.jpg,class", "image.jpg class", or only the class, of the images in the order of their names.
Kaggle's LOC_val_solution.csv is such a file. The numbers of ImageNet's development kit are not, as their order is in its
meta.mat alone: of 1000 classes or more, indices without images are refused unless a 0 is among them.

Images that cannot be decoded are reported on stderr and not counted; the exit code is then 1.

Examples:
  $ shufflenet evaluate --weights my.safetensors imagenet/val/
  $ shufflenet evaluate --truth LOC_val_solution.csv --json val/ > errors.json`,
    )
    .action((folder: string, options: EvaluateCommandOptions) => evaluateCommand(folder, options));

  shufflenet
    .command('run')
    .description('compute the logits of images that are resized and normalised already')
    .requiredOption('--input <file>', '.npy file to read: float32 [n, 3, height, width], sides of 32 to 4096')
    .requiredOption('--output <file>', '.npy file to write: float32 [n, classes]')
    .addOption(weights())
    .addOption(family())
    .addOption(threads())
    .addOption(precision())
    .addHelpText(
      'after',
      `
Example:
  $ shufflenet run --input images.npy --output logits.npy`,
    )
    .action((options: RunCommandOptions) => runCommand(options));

  shufflenet
    .command('table')
    .description('print the network table (Table 1 of the paper) for 224x224 images')
    .addOption(new Option('--groups <g>', 'number of groups (default: all)').choices(['1', '2', '3', '4', '8']))
    .addOption(new Option('--scale <s>', 'width multiplier: "ShuffleNet s x"').argParser(decimal).default(1))
    .option('--json', 'print JSON: an object with --groups, else an array')
    .addHelpText(
      'after',
      `
Examples:
  $ shufflenet table
  $ shufflenet table --groups 3 --scale 2 --json`,
    )
    .action(({ groups, ...options }: TableCommandOptions & { groups?: string }) =>
      tableCommand(groups === undefined ? options : { ...options, groups: Number(groups) as Groups }),
    );

  shufflenet
    .command('export')
    .description('write a network and its weights as an ONNX model, for other runtimes')
    .requiredOption(
      '--onnx <file>',
      '.onnx file to write: "input" is float32 [batch, 3, height, width], "logits" comes out',
    )
    .addOption(weights())
    .addOption(family())
    .addOption(
      new Option('--size <HxW>', 'the only image size that the model takes (default: any)').argParser(imageSize),
    )
    .addHelpText(
      'after',
      `
Examples:
  $ shufflenet export --onnx shufflenet.onnx
  $ shufflenet export --weights my.safetensors --onnx my.onnx --size 224x224`,
    )
    .action((options: ExportCommandOptions) => exportCommand(options));

  shufflenet
    .command('convert')
    .description('write weights of any format and family as a safetensors file that says all of itself')
    .argument('<in>', 'weights, of any format and family that is known')
    .argument('<out>', '.safetensors file to write')
    .addOption(
      new Option('--dtype <dtype>', 'of convolution and classifier weights (default: as they are)').choices([
        'f32',
        'f16',
        'bf16',
      ]),
    )
    .addOption(labels())
    .addOption(family())
    .option('--external-data', 'read tensors of an ONNX model that lie in other files of its folder')
    .addHelpText(
      'after',
      `
Tensors get this package's names; the metadata hold the network with its conventions, preprocessing, class
names, source, licence and a checksum of the tensors, which info looks at.

Examples:
  $ shufflenet convert 1.0x.pth.tar shufflenet.safetensors
  $ shufflenet convert shufflenet.npz shufflenet.safetensors --dtype f16 --labels synset_words.txt`,
    )
    .action((input: string, output: string, options: ConvertCommandOptions) => convertCommand(input, output, options));

  shufflenet
    .command('info')
    .description('print what a weights file holds and what would run it')
    .argument('[file]', "weights, of any format and family that is known (default: the package's own)")
    .addOption(family())
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ shufflenet info
  $ shufflenet info 1.0x.pth.tar
  $ shufflenet info my.safetensors --json`,
    )
    .action((file: string | undefined, options: InfoCommandOptions) => infoCommand(file, options));

  shufflenet
    .command('profile')
    .description('print where the time of a run goes, layer by layer')
    .addOption(weights())
    .addOption(family())
    .addOption(threads())
    .addOption(precision())
    .addOption(
      new Option('--size <HxW>', 'height and width of the image (default: as the weights say)').argParser(imageSize),
    )
    .addOption(new Option('--runs <n>', 'runs that are timed (default: 30)').argParser(integer(1, 10_000)))
    .option('--json', 'print JSON: an object as model.profile() gives')
    .addHelpText(
      'after',
      `
For one image of noise. Columns: kernels and layout (planes: NCHW, channels: NHWC), groups, channels in > out,
output size, window/stride; median and least milliseconds of all runs, share of the steps' medians, multiply-adds,
GFLOP/s (two for a multiply-add), share of the peak that the CPU shows when it does nothing but multiply-adds, times
threads; bytes of weights and activations read and written. Then the sums of each kind. For a quiet machine.

Examples:
  $ shufflenet profile --size 224x224
  $ SHUFFLENET_ISA=avx2 shufflenet profile --weights my.safetensors --threads 2 --json`,
    )
    .action((options: ProfileCommandOptions) => profileCommand(options));

  shufflenet
    .command('bench')
    .description('print how fast this machine is: time per image, what more cores bring, and a line to share')
    .addOption(weights())
    .addOption(family())
    .addOption(precision())
    .addOption(new Option('--size <HxW>', 'height and width of the image (default: 224x224)').argParser(imageSize))
    .addOption(new Option('--seconds <s>', 'how long each measurement takes (default: 2)').argParser(seconds))
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
For images of noise, as model.run() takes them: decoding and resizing come on top. On 1, 2, 4 ... and all cores: one
image at a time with so many threads, median and fastest; then so many images at once, one thread each. For a quiet and
cool machine.

Examples:
  $ shufflenet bench
  $ shufflenet bench --weights my.safetensors --size 64x64 --json`,
    )
    .action((options: BenchCommandOptions) => benchCommand(options));
  return shufflenet;
}

async function main(): Promise<void> {
  // Whoever reads has seen enough, as in `shufflenet table | head -1`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    report(error);
    process.exit(1);
  });
  try {
    await program().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      // Printed already; 0 for --help and --version.
      process.exitCode = error.exitCode === 0 ? 0 : 2;
    } else {
      report(error);
      process.exitCode = error instanceof UsageError ? 2 : 1;
    }
  }
}

void main();
