import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseTotals } from './parse-output.ts';
import { killGroup, liveMembers } from './process-group.ts';

/** How the process of a test file came to its end, and what it printed until then. */
export interface Outcome {
  /** `exited` by itself, or was killed: it ran too long, stayed after its totals, or printed more than is kept. */
  readonly ending: 'exited' | 'timedOut' | 'stayed' | 'flooded';
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Programs the file started that were still running after it, as `name (pid)`. */
  readonly leftRunning: readonly string[];
  readonly durationMs: number;
}

/** How long a file may stay after it printed its totals. */
export const EXIT_GRACE_MS = 5_000;
/** How long the programs a file started may take to notice that it ended. */
const GROUP_GRACE_MS = 2_000;
/** How long a file that is about to be killed gets to name its open handles. */
const NAMING_MS = 200;
const MAX_OUTPUT_CHARS = 8 * 1024 * 1024;
const TOTALS_CHARS = 500;

const NAME_HANDLES = fileURLToPath(new URL('./name-handles.ts', import.meta.url));

/** Leaders of the groups that still run; they end with the runner, however it ends. */
const running = new Set<number>();
process.on('exit', () => {
  for (const pid of running) killGroup(pid);
});

/** Runs one test file in a process group of its own. Nothing of the group is left when this resolves. */
export async function runFile(file: string, timeoutMs: number): Promise<Outcome> {
  const startMs = performance.now();
  const child = spawn(process.execPath, ['--import', 'tsx', '--import', NAME_HANDLES, file], {
    detached: true,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid!;
  running.add(pid);

  const output = { stdout: '', stderr: '' };
  let ending: Outcome['ending'] = 'exited';
  let exitTimer: NodeJS.Timeout | undefined;
  const kill = async (why: Outcome['ending']): Promise<void> => {
    if (ending !== 'exited') return;
    ending = why;
    child.kill('SIGUSR2');
    await sleep(NAMING_MS);
    child.kill('SIGKILL');
  };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      if (output[name].length > MAX_OUTPUT_CHARS) {
        output[name] = output[name].slice(0, MAX_OUTPUT_CHARS);
        void kill('flooded');
      }
      if (name === 'stdout' && parseTotals(output.stdout.slice(-text.length - TOTALS_CHARS)).length > 0) {
        exitTimer ??= setTimeout(() => void kill('stayed'), EXIT_GRACE_MS);
      }
    });
  }
  const timer = setTimeout(() => void kill('timedOut'), timeoutMs);
  const closed = once(child, 'close');
  await once(child, 'exit');
  clearTimeout(timer);
  clearTimeout(exitTimer);

  const leftRunning = await endGroup(pid);
  await Promise.race([closed, sleep(1_000, undefined, { ref: false })]);
  clearTimeout(exitTimer);
  child.stdout.destroy();
  child.stderr.destroy();
  running.delete(pid);
  return {
    ending,
    exitCode: child.exitCode,
    signal: child.signalCode,
    ...output,
    leftRunning,
    durationMs: performance.now() - startMs,
  };
}

/** Waits for the rest of a group whose leader has exited, kills what stays, and says what that was. */
async function endGroup(pid: number): Promise<string[]> {
  const deadlineMs = performance.now() + GROUP_GRACE_MS;
  let left = liveMembers(pid);
  while (left.length > 0 && performance.now() < deadlineMs) {
    await sleep(50);
    left = liveMembers(pid);
  }
  if (left.length > 0) killGroup(pid);
  return left;
}
