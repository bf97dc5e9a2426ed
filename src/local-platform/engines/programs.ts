import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ApiError } from '../api-error.ts';

/** Longest that an engine may take, and how much processor time it may use. */
const TIME_LIMIT_S = 60;
/** Address space of an engine. A decoder with its model takes about a tenth. */
const MEMORY_LIMIT_BYTES = 1 << 30;
const MAX_COMPLAINT_CHARACTERS = 2000;

/** Where a program is on PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * Runs an engine to its end, without a shell. It is killed when `signal` is aborted, after {@link TIME_LIMIT_S}, and by
 * the kernel when it uses too much memory or processor time, where util-linux `prlimit` is installed.
 *
 * @throws ApiError 500 - it could not be started, failed or was killed.
 * @throws the reason of `signal`, once that is aborted.
 */
export async function runProgram(path: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const prlimit = findProgram('prlimit');
  const limited = prlimit
    ? [prlimit, `--as=${MEMORY_LIMIT_BYTES}`, `--cpu=${TIME_LIMIT_S}`, '--', path, ...args]
    : [path, ...args];
  const name = path.slice(path.lastIndexOf('/') + 1);
  let complaint = '';
  const result = await new Promise<string>((resolve) => {
    const child = spawn(limited[0]!, limited.slice(1), {
      stdio: ['ignore', 'ignore', 'pipe'],
      signal,
      timeout: TIME_LIMIT_S * 1000,
      killSignal: 'SIGKILL',
    });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, killedBy) => resolve(code === 0 ? '' : `exit ${code ?? killedBy}`));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-MAX_COMPLAINT_CHARACTERS);
    });
  });
  signal.throwIfAborted();
  if (result === '') return;
  const lastLine = complaint.trim().split('\n').at(-1) ?? '';
  throw new ApiError(500, `${name} failed: ${result} ${lastLine}`.trim());
}

/** Gives `work` a folder that only this user can read, and removes it with all it holds when the work ends. */
export async function inScratchFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'hamsa-local-platform-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
