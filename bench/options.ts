import { parseArgs } from 'node:util';
import type { Context, Group } from './group';

type Named = Pick<Group, 'name' | 'about'>;

export interface Options extends Pick<Context, 'effort' | 'peer' | 'row'> {
  /** Names of groups. */
  chosen: string[];
  /** Nothing was left out or shortened. */
  everything: boolean;
  /** Where results go. */
  json: string | undefined;
}

export function usage(groups: readonly Named[]): string {
  return `npm run bench -- [GROUP ...] [options]

Groups (default: all):
${groups.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join('\n')}

Options:
  --rounds N      rounds in which all contestants take their turn (default 25)
  --turn MS       a contestant's turn (default 100)
  --quick         5 rounds of 30 ms
  --only LIST     only these rows: --only 1x-g3@224x224,2x-g3
  --peers LIST    only these peers: --peers XNNPACK,onnxruntime-node, or --peers none
  --json FILE     adds the results to those that are there; without it, only a run of everything is kept, as
                  bench/results/<date>-<cpu>-<isa>.json`;
}

/** Throws RangeError for what the command line gets wrong. */
export function parseOptions(
  args: readonly string[],
  groups: readonly Named[],
  peerNames: readonly string[],
): Options | 'help' {
  const { values, positionals } = parse(args);
  if (values.help) return 'help';
  const names = groups.map(({ name }) => name);
  const unknown = positionals.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new RangeError(`no group is named ${unknown}, there are ${names.join(', ')}`);
  const only = list(values.only);
  const peers = list(values.peers);
  const stranger = peers?.find((name) => name !== 'none' && !peerNames.includes(name));
  if (stranger !== undefined) throw new RangeError(`no peer is named ${stranger}, there are ${peerNames.join(', ')}`);
  const whole = [values.quick, values.rounds, values.turn, only, peers].every((value) => value === undefined);
  return {
    chosen: positionals.length > 0 ? positionals : names,
    effort: {
      rounds: wholeNumber('rounds', values.rounds ?? (values.quick ? '5' : '25')),
      turn: wholeNumber('turn', values.turn ?? (values.quick ? '30' : '100')),
    },
    peer: (name) => peers === undefined || peers.includes(name),
    row: (label) => {
      const parts = label.split('@');
      return only === undefined || only.some((word) => word.split('@').every((part) => parts.includes(part)));
    },
    everything: whole && positionals.length === 0,
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean' },
        quick: { type: 'boolean' },
        rounds: { type: 'string' },
        turn: { type: 'string' },
        only: { type: 'string' },
        peers: { type: 'string' },
        json: { type: 'string' },
      },
    });
  } catch (cause) {
    throw new RangeError((cause as Error).message, { cause });
  }
}

function list(text: string | undefined): string[] | undefined {
  return text?.split(',').map((word) => word.trim());
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new RangeError(`--${name} takes a whole number above 0, not ${text}`);
  return Number(text);
}
