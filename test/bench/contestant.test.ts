import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Contestant } from '../../bench/contestant';
import { parityProblem } from '../../bench/field';
import { Absent } from '../../bench/job';

function start(script: string, environment: Record<string, string> = {}): Promise<Contestant> {
  return Contestant.start('someone', process.execPath, ['-e', script], environment);
}

const answering = (answer: string) => `
  console.log('ready 1.2 with ' + process.env.SOME_SETTING);
  require('readline').createInterface(process.stdin).on('line', (line) => console.log(${answer}));`;

describe('contestants', () => {
  it('run in a process with an environment of their own, and answer line by line', async () => {
    const contestant = await start(answering(`line === 'logits' ? '1 -2.5e-3' : line.split(' ')[1]`), {
      SOME_SETTING: 'threads',
    });
    assert.equal(contestant.version, '1.2 with threads');
    assert.deepEqual(await contestant.logits(), [1, -0.0025]);
    assert.deepEqual(await contestant.turn(30), [30]);
    contestant.close();
  });

  it('are absent, with the reason, where they say so', async () => {
    await assert.rejects(start(`console.log('absent not installed')`), (error) => {
      assert.ok(error instanceof Absent);
      assert.equal(error.message, 'not installed');
      return true;
    });
  });

  it('that crash are errors that show what they said last', async () => {
    await assert.rejects(start(`throw new Error('out of luck')`), (error) => {
      assert.ok(error instanceof Error && !(error instanceof Absent));
      assert.match(error.message, /^someone: ended early; .*out of luck/s);
      return true;
    });
    const contestant = await start(`console.log('ready'); process.stdin.once('data', () => process.exit(1))`);
    await assert.rejects(contestant.logits(), /someone: ended early/);
  });

  it('that answer something else than numbers are errors', async () => {
    const contestant = await start(answering(`'1 two'`));
    await assert.rejects(contestant.turn(1), /someone: answered turn 1 with what are not numbers/);
    contestant.close();
  });
});

describe('parity of logits', () => {
  it('forgives another order of summation only', () => {
    assert.equal(parityProblem([1, -20, 3], [1.0001, -20.0001, 2.9999]), undefined);
    assert.match(parityProblem([1, -20, 3], [1, -20, 3.1])!, /logits differ by 0\.1/);
  });

  it('compares the images that both computed', () => {
    assert.equal(parityProblem([1, 2, 3, 4], [1, 2]), undefined);
    assert.match(parityProblem([1, 2], [2, 1, 0])!, /differ by 1/);
  });

  it('trusts nothing that is empty, zero, huge or not a number', () => {
    assert.match(parityProblem([], [])!, /the largest logit is 0/);
    assert.match(parityProblem([0, 0], [0, 0])!, /the largest logit is 0/);
    assert.match(parityProblem([Infinity], [Infinity])!, /the largest logit is Infinity/);
    assert.match(parityProblem([1, 2], [1, NaN])!, /differ by NaN/);
  });
});
