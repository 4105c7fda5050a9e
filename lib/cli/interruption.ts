import { constants } from 'node:os';

const signals = ['SIGINT', 'SIGTERM'] as const;

/**
 * Aborts at the first SIGINT or SIGTERM, with the exit code that a shell gives for it: 130 or 143. Nobody listens from
 * then on, so that the system ends the process at the second, whatever it is busy with.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals) => {
    for (const signal of signals) process.off(signal, stop);
    process.exitCode = 128 + constants.signals[name];
    controller.abort();
  };
  for (const signal of signals) process.on(signal, stop);
  return controller.signal;
}
