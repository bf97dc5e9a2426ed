import { readdirSync, readFileSync } from 'node:fs';

/** Kills every process of the group that `pid` leads; a group that is gone already is no error. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {}
}

/**
 * The processes of a group as `name (pid)`, without those that have ended and only wait to be reaped. Reads
 * `/proc/PID/stat` (proc(5): `pid (name) state ppid pgrp …`), so it finds nothing where there is no `/proc`.
 */
export function liveMembers(groupId: number): string[] {
  const members: string[] = [];
  for (const pid of readFolder('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const [, name, state, pgrp] = /^\d+ \((.*)\) (\S) \d+ (\d+)/s.exec(readText(`/proc/${pid}/stat`)) ?? [];
    if (Number(pgrp) === groupId && state !== 'Z' && state !== 'X') members.push(`${name} (${pid})`);
  }
  return members;
}

function readFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** A process may end between being listed and being read; it then has no text. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
