import { readdirSync, readFileSync } from 'node:fs';

/** Proportional memory of a process in bytes: its own pages, and its share of those it shares. */
export function pssBytes(pid: number): number {
  const found = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  if (!found) throw new Error(`Expected Pss in /proc/${pid}/smaps_rollup`);
  return Number(found[1]) * 1024;
}

/** CPU time in µs that the threads of a process have used, or those of one name. Threads that ended do not count. */
export function cpuUs(pid: number, threadName?: string): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`;
    if (threadName !== undefined && readFileSync(`${folder}/comm`, 'utf8').trim() !== threadName) continue;
    nanoseconds += Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0]);
  }
  return nanoseconds / 1000;
}
