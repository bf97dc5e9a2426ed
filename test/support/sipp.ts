import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SippCall {
  /** A scenario of `fixtures/sipp`, without `.xml`. */
  readonly scenario: string;
  /** `HOST:PORT`. */
  readonly target: string;
  /** Values for `{name}` in the scenario. */
  readonly keys?: Readonly<Record<string, string>>;
  readonly calls?: number;
  /** Calls started a second. */
  readonly rate?: number;
  readonly timeoutS?: number;
}

/** Runs sipp as the caller. @throws with sipp's own words when a call failed. */
export function sipp({ scenario, target, keys = {}, calls = 1, rate = 1, timeoutS = 60 }: SippCall): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sipp-'));
  const template = readFileSync(new URL(`../../fixtures/sipp/${scenario}.xml`, import.meta.url), 'utf8');
  const file = join(folder, `${scenario}.xml`);
  writeFileSync(
    file,
    template.replace(/\{(\w+)\}/g, (all, name: string) => keys[name] ?? all),
  );
  const args = [target, '-sf', file, '-m', String(calls), '-r', String(rate), '-i', '127.0.0.1', '-mi', '127.0.0.1'];
  args.push(
    '-nostdin',
    '-timeout',
    `${timeoutS}s`,
    '-timeout_error',
    '-trace_err',
    '-error_file',
    join(folder, 'errors'),
  );
  return new Promise((resolve, reject) => {
    execFile('sipp', args, { cwd: folder, timeout: (timeoutS + 5) * 1000 }, (error, stdout, stderr) => {
      rmSync(folder, { recursive: true });
      if (error)
        reject(new Error(`sipp ${scenario}: exit ${error.code}\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`));
      else resolve();
    });
  });
}
