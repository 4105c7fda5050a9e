import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { draw, layersChart, networksChart, peersChart, scalingChart } from '../../bench/charts';
import { ours, oursSync, type Times } from '../../bench/field';
import type { Results } from '../../bench/results';
import { ratios, summarize } from '../../bench/statistics';

const times = (...rounds: number[]): Times => ({ rounds, summary: summarize(rounds), fastest: Math.min(...rounds) });
const effort = { rounds: 2, turn: 10 };
const race = { versions: {}, absent: { XNNPACK: 'libxnnpack-dev is not installed' } };
const step = {
  kind: 'pwconv',
  steps: 1,
  milliseconds: 1,
  shareOfTime: 1,
  multiplyAdds: 1e6,
  gflops: 50,
  shareOfPeak: 0.5,
};

const results: Results = {
  machine: { cpu: 'Some CPU', cores: 2, caches: [], os: 'Linux', node: 'v20', isa: 'avx2' },
  groups: {
    networks: {
      ...effort,
      rows: [
        {
          ...race,
          label: '1x-g3@224x224',
          height: 224,
          width: 224,
          lead: 1.5,
          leadOfFastest: 1.5,
          ratios: { 'onnxruntime-node': ratios([3, 3], [2, 2]) },
          times: { [ours]: times(2, 2), 'onnxruntime-node': times(3, 3) },
        },
      ],
      slowest: { times: { [ours]: times(2), 'tfjs cpu': times(2000) } },
    },
    layers: {
      ...effort,
      rows: [{ label: '1x-g3', peak: 100, milliseconds: 1, shareOfPeak: 0.5, steps: [], kinds: [step] }],
    },
    threads: {
      ...effort,
      rows: [{ label: '1x-g3', contestant: ours, threads: 2, images: 1, speedUp: 1.9, time: times(1, 1) }],
    },
    batches: {
      ...effort,
      rows: [
        { label: '1x-g3', contestant: oursSync, batch: 8, imagesPerSecond: 500, cost: 1, time: times(16) },
        { label: '1x-g3', contestant: 'XNNPACK', batch: 8, imagesPerSecond: null, cost: null, time: null },
      ],
    },
  },
};

describe('charts of the benchmark', () => {
  it('name machine, contestants and units, and follow the reader into the dark', async () => {
    const svg = await draw(networksChart(results)!);
    for (const text of ['Some CPU, avx2, Node.js v20', 'onnxruntime-node', ours, 'time (ms)', '1x-g3']) {
      assert.ok(svg.includes(`>${text}<`), text);
    }
    assert.match(svg, /^<svg[^>]*><style>\s*@media \(prefers-color-scheme: dark\)/);
    assert.ok(!svg.includes('NaN'));
  });

  it('show everybody who was measured and nobody who was not', async () => {
    const svg = await draw(peersChart(results)!);
    assert.ok(svg.includes('>tfjs cpu<') && svg.includes('>2000<'));
    assert.ok(!svg.includes('XNNPACK'));
    assert.ok(!(await draw(scalingChart(results)!)).includes('XNNPACK'));
  });

  it('give shares of the peak in percent', async () => {
    const svg = await draw(layersChart(results)!);
    assert.ok(svg.includes('>share of the FMA peak<') && svg.includes('>100%<') && svg.includes('>pwconv<'));
  });

  it('are left alone where their group was not measured', () => {
    const empty = { ...results, groups: {} };
    for (const chart of [networksChart, peersChart, layersChart, scalingChart]) assert.equal(chart(empty), undefined);
  });
});
