import { ShuffleNetError } from '../errors';
import { networkTable, type NetworkTable, type TableRow } from '../network/complexity';
import type { Groups } from '../network/options';
import { columns, millions, print, toJson } from './output';
import { UsageError } from './usage-error';

export interface TableCommandOptions {
  groups?: Groups;
  scale?: number;
  json?: boolean;
}

/** Prints Table 1 of the paper, or its column for one number of groups. */
export function tableCommand({ groups, scale = 1, json = false }: TableCommandOptions): void {
  const columnsOf: readonly Groups[] = groups === undefined ? [1, 2, 3, 4, 8] : [groups];
  let tables: NetworkTable[];
  try {
    tables = columnsOf.map((groups) => networkTable({ groups, scale }));
  } catch (error) {
    if (!(error instanceof ShuffleNetError)) throw error;
    throw new UsageError(error.message);
  }
  print(json ? toJson(groups === undefined ? tables : tables[0]) : format(tables));
}

/** Rows and blanks as in the paper. */
function format(tables: NetworkTable[]): string {
  const size = (plane: TableRow['kernel']) => (plane ? `${plane.height}x${plane.width}` : '');
  const number = (value: number | null) => (value === null ? '' : String(value));
  const rows = tables[0]!.rows.map(({ layer, output, kernel, stride, repeat }, index) => [
    layer,
    size(output),
    size(kernel),
    number(stride),
    number(repeat),
    ...tables.map(({ rows }) => (layer.endsWith('Pool') ? '' : number(rows[index]!.channels))),
  ]);
  const summary = (name: string, value: (table: NetworkTable) => number) => [
    name,
    ...['', '', '', ''],
    ...tables.map((table) => millions(value(table))),
  ];
  const header = ['Layer', 'Output', 'Kernel', 'Stride', 'Repeat', ...tables.map(({ groups }) => `g=${groups}`)];
  return [
    `ShuffleNet ${tables[0]!.scale}x, output channels for g groups; complexity in multiply-adds, without FC`,
    '',
    columns([
      header,
      ...rows,
      summary('Complexity', ({ convMultiplyAdds }) => convMultiplyAdds),
      summary('  with FC', ({ multiplyAdds }) => multiplyAdds),
      summary('Parameters', ({ parameters }) => parameters),
    ]),
  ].join('\n');
}
