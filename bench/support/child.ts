import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pass } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** A machine that is too busy to answer in this time can not be measured. */
const ANSWER_TIMEOUT_MS = 60_000;

/** Runs the command without the right to real-time scheduling. */
export const WITHOUT_FIFO: readonly string[] = ['setpriv', '--bounding-set', '-sys_nice', '--inh-caps', '-sys_nice'];

export interface ChildOptions {
  /** Put in front of the command. */
  readonly prefix?: readonly string[];
  /** Of Node. */
  readonly flags?: readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a TypeScript module as a process of its own that talks over IPC. */
export function startChild(module: URL, { prefix = [], flags = [], env = {} }: ChildOptions = {}): ChildProcess {
  const [command, ...args] = [...prefix, process.execPath, ...flags, '--import', 'tsx', fileURLToPath(module)];
  return spawn(command!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: { ...process.env, ...env } });
}

/** Sends `question` and returns the child's next message; a child that dies or is silent instead is an error. */
export async function ask<Answer>(child: ChildProcess, question: unknown): Promise<Answer> {
  const ended = new AbortController();
  try {
    child.send(question as object);
    return await Promise.race([
      once(child, 'message', { signal: ended.signal }).then(([message]) => message as Answer),
      once(child, 'exit', { signal: ended.signal }).then(([code]) => {
        throw new Error(`A child process ended with ${code}`);
      }),
      pass(ANSWER_TIMEOUT_MS, undefined, { signal: ended.signal }).then(() => {
        throw new Error('A child process did not answer');
      }),
    ]);
  } finally {
    ended.abort();
  }
}

/** Ends a child, which exits when its channel closes, and waits until it is gone. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  if (child.connected) child.disconnect();
  else child.kill();
  await gone;
}
