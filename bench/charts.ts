/**
 * npm run bench:charts -- FILE: draws docs/charts/*.svg from a results file of bench/. Groups that the file does not have
 * keep their charts.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ours, oursSync, oursTwice } from './field';
import { root } from './processes';
import type { Results } from './results';
import { short } from './table';

/** What is used of Vega and Vega-Lite, whose own types need a browser's. */
interface Vega {
  parse(spec: object): object;
  View: new (runtime: object, options: { renderer: 'none' }) => { toSVG(): Promise<string> };
}
interface VegaLite {
  compile(spec: object): { spec: object };
}
const load = <T>(name: string): Promise<T> => import(name);

interface Chart {
  title: string;
  subtitle: string[];
  spec: object;
}

/** Seen well on white and on near black. */
const colours: Readonly<Record<string, string>> = {
  [ours]: '#e8590c',
  'onnxruntime-node': '#228be6',
  XNNPACK: '#2f9e44',
  'onnxruntime-web': '#ae3ec9',
  'tfjs wasm': '#868e96',
  'tfjs-node': '#0c8599',
  'tfjs cpu': '#a98467',
};
const palette = ['#e8590c', '#f08c00', '#228be6', '#ae3ec9', '#2f9e44', '#868e96'];

function colour(table: Readonly<Record<string, string>>, names: readonly string[], columns = 3): object {
  const domain = Object.keys(table).filter((name) => names.includes(name));
  const scale = { domain, range: domain.map((name) => table[name]) };
  return { type: 'nominal', scale, sort: null, legend: { title: null, orient: 'top', columns, labelLimit: 0 } };
}

/** Bars of medians with a line at the fastest run, side by side. */
export function networksChart({ machine, groups: { networks } }: Results): Chart | undefined {
  const rows = networks?.rows.filter(({ height, width }) => height === 224 && width === 224);
  if (!networks || !rows?.length) return undefined;
  const names = [ours, 'onnxruntime-node', 'XNNPACK'];
  const values = rows.flatMap(({ label, times }) =>
    names.flatMap((contestant) => {
      const time = times[contestant];
      const network = label.split('@')[0]!;
      return time ? [{ network, contestant, median: time.summary.median, fastest: time.fastest }] : [];
    }),
  );
  const shared = {
    x: { field: 'network', type: 'nominal', sort: null, axis: { title: 'network', labelAngle: 0 } },
    xOffset: { field: 'contestant', sort: names },
  };
  return {
    title: 'One image of 224x224, one thread',
    subtitle: ['less is better; bar: median, line: fastest run', where(machine)],
    spec: {
      width: 640,
      height: 260,
      data: { values },
      layer: [
        {
          mark: { type: 'bar' },
          encoding: {
            ...shared,
            y: { field: 'median', type: 'quantitative', axis: { title: 'time (ms)' } },
            color: { field: 'contestant', ...colour(colours, names) },
          },
        },
        {
          mark: { type: 'tick', thickness: 1.5, color: ink },
          encoding: { ...shared, y: { field: 'fastest', type: 'quantitative' } },
        },
      ],
    },
  };
}

/** Everybody on one network: a scale of powers of ten. */
export function peersChart({ machine, groups: { networks } }: Results): Chart | undefined {
  const row = networks?.rows.find(({ label }) => label === '1x-g3@224x224');
  if (!networks || !row) return undefined;
  const times = { ...networks.slowest?.times, ...row.times };
  const values = Object.keys(colours).flatMap((contestant) => {
    const time = times[contestant]?.summary.median;
    return time === undefined ? [] : [{ contestant, time, text: short(time) }];
  });
  const y = { field: 'contestant', type: 'nominal', sort: 'x', axis: { title: null } };
  const x = {
    field: 'time',
    type: 'quantitative',
    scale: { type: 'log', domainMin: 1 },
    axis: { title: 'time (ms, powers of ten)', grid: true, values: [1, 3, 10, 30, 100, 300, 1000, 3000] },
  };
  return {
    title: 'ShuffleNet 1x (g = 3), one image of 224x224, one thread',
    subtitle: ['less is better; medians', where(machine)],
    spec: {
      width: 560,
      height: { step: 28 },
      data: { values },
      encoding: { y },
      layer: [
        {
          mark: 'bar',
          encoding: {
            x,
            x2: { datum: 1 },
            color: { field: 'contestant', ...colour(colours, names(values)), legend: null },
          },
        },
        { mark: { type: 'text', align: 'left', dx: 4, color: ink }, encoding: { x, text: { field: 'text' } } },
      ],
    },
  };
}

function names(values: readonly { contestant: string }[]): string[] {
  return values.map(({ contestant }) => contestant);
}

/** Kinds that multiply. */
export function layersChart({ machine, groups: { layers } }: Results): Chart | undefined {
  if (!layers?.rows.length) return undefined;
  const values = layers.rows.flatMap(({ label, kinds: shares }) =>
    shares
      .filter(({ multiplyAdds }) => multiplyAdds > 0)
      .map(({ kind, shareOfPeak }) => ({ network: label, kind, shareOfPeak })),
  );
  const kinds = [...new Set(values.map(({ kind }) => kind))];
  const kindColours = Object.fromEntries(kinds.map((kind, i) => [kind, palette[i % palette.length]!]));
  const whole = layers.rows.map(({ label, shareOfPeak }) => ({ network: label, shareOfPeak }));
  const x = { field: 'network', type: 'nominal', sort: null, axis: { title: 'network', labelAngle: 0 } };
  const y = {
    field: 'shareOfPeak',
    type: 'quantitative',
    scale: { domain: [0, 1] },
    axis: { title: 'share of the FMA peak', format: '.0%' },
  };
  return {
    title: 'How near to the FMA peak each kind of layer runs',
    subtitle: ['more is better; bar: kind of layer, line: the whole network, pools and all', where(machine)],
    spec: {
      width: 640,
      height: 260,
      layer: [
        {
          data: { values },
          mark: 'bar',
          encoding: {
            x,
            y,
            xOffset: { field: 'kind', sort: kinds },
            color: { field: 'kind', ...colour(kindColours, kinds) },
          },
        },
        { data: { values: whole }, mark: { type: 'tick', thickness: 2, color: ink, bandSize: 60 }, encoding: { x, y } },
      ],
    },
  };
}

/** Threads on the left, batches on the right. */
export function scalingChart({ machine, groups: { threads, batches } }: Results): Chart | undefined {
  if (!threads || !batches) return undefined;
  const network = '1x-g3';
  const speedUps = threads.rows.filter(({ label, speedUp }) => label === network && speedUp !== null);
  const rates = batches.rows.filter(({ label, imagesPerSecond }) => label === network && imagesPerSecond !== null);
  if (speedUps.length === 0 || rates.length === 0) return undefined;
  // What run() does with a batch is something else than what it does with an image.
  const [allCores, oneThread] = [`${ours}, all cores`, `${ours}, one thread`];
  const renamed: Readonly<Record<string, string>> = { [ours]: allCores, [oursSync]: oneThread };
  const batchRates = rates.map((row) => ({ ...row, contestant: renamed[row.contestant] ?? row.contestant }));
  const contestants = { ...colours, [allCores]: '#f08c00', [oneThread]: colours[ours]!, [oursTwice]: '#f08c00' };
  const lines = (x: object, y: object, title: string, values: readonly { contestant: string }[]) => ({
    title,
    width: 300,
    height: 240,
    data: { values },
    mark: { type: 'line', point: { size: 50 } },
    encoding: { x, y, color: { field: 'contestant', ...colour(contestants, names(values), 2) } },
  });
  const ordinal = (field: string, title: string) => ({ field, type: 'ordinal', axis: { title, labelAngle: 0 } });
  const quantity = (field: string, title: string) => ({
    field,
    type: 'quantitative',
    scale: { zero: true },
    axis: { title },
  });
  return {
    title: 'ShuffleNet 1x (g = 3) at 224x224: threads and batches',
    subtitle: [`more is better; ${machine.cores} cores`, where(machine)],
    spec: {
      resolve: { scale: { color: 'independent' } },
      hconcat: [
        lines(ordinal('threads', 'threads'), quantity('speedUp', 'times as fast as one thread'), 'One image', speedUps),
        lines(ordinal('batch', 'images in a batch'), quantity('imagesPerSecond', 'images/s'), 'Batches', batchRates),
      ],
    },
  };
}

const charts: Readonly<Record<string, (results: Results) => Chart | undefined>> = {
  networks: networksChart,
  peers: peersChart,
  layers: layersChart,
  scaling: scalingChart,
};

const ink = '#1f2328';
const grid = '#d8dee4';
const config = {
  font: 'system-ui, sans-serif',
  title: { anchor: 'start', color: ink, subtitleColor: ink, fontSize: 15, subtitleFontSize: 11, offset: 12 },
  axis: {
    labelColor: ink,
    titleColor: ink,
    gridColor: grid,
    domainColor: grid,
    tickColor: grid,
    titleFontWeight: 'normal',
  },
  axisX: { grid: false },
  legend: { labelColor: ink, titleColor: ink, symbolType: 'square' },
  view: { stroke: null },
};

/** Where dark is preferred, ink and paper change places; colours of data stay. */
const dark = `<style>
@media (prefers-color-scheme: dark) {
  text, [fill="${ink}"] { fill: #e6edf3 }
  [stroke="${grid}"] { stroke: #30363d }
  svg > rect { fill: #0d1117 }
}
</style>`;

function where({ cpu, isa, node }: Results['machine']): string {
  return `${cpu}, ${isa}, Node.js ${node}`;
}

/** An SVG document. */
export async function draw({ title, subtitle, spec }: Chart): Promise<string> {
  const vega = await load<Vega>('vega');
  const vegaLite = await load<VegaLite>('vega-lite');
  const whole = { background: 'white', padding: 16, title: { text: title, subtitle }, config, ...spec };
  const svg = await new vega.View(vega.parse(vegaLite.compile(whole).spec), { renderer: 'none' }).toSVG();
  return `${svg.replace(/^<svg[^>]*>/, (tag) => tag + dark)}\n`;
}

async function main(): Promise<void> {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error('npm run bench:charts -- FILE: which file of bench/results?');
  const results = JSON.parse(readFileSync(file, 'utf8')) as Results;
  const folder = path.join(root, 'docs/charts');
  mkdirSync(folder, { recursive: true });
  for (const [name, make] of Object.entries(charts)) {
    const chart = make(results);
    if (chart === undefined) continue;
    writeFileSync(path.join(folder, `${name}.svg`), await draw(chart));
    console.log(`written: docs/charts/${name}.svg`);
  }
}

if (require.main === module) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
