import { isRecord } from '../platform/platform-errors.ts';
import { readPage } from '../platform/rest/groups/answers.ts';
import type { Job } from '../platform/rest/groups/jobs.ts';

/** Shown first where they are there. */
const COLUMNS = ['id', 'name', 'agentName', 'title', 'number', 'label', 'type', 'status', 'isActive', 'createdAt'];
const MAX_COLUMNS = 7;
const MAX_CELL_CHARACTERS = 40;
const BAR_CHARACTERS = 24;

/** An answer for people: a table of a list, else a line for each field. */
export function humanText(data: unknown): string {
  const page = readPage(data);
  const items: unknown = isRecord(page) ? page['items'] : undefined;
  const isList = Array.isArray(data) || (isRecord(data) && !('id' in data) && Object.values(data).some(Array.isArray));
  if (isList && Array.isArray(items) && items.every(isRecord))
    return tableText(items, (page as { total?: number }).total);
  if (!isRecord(data)) return data === undefined ? 'done\n' : `${cell(data)}\n`;
  const fields = Object.entries(data);
  if (fields.length === 0) return 'done\n';
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${printable(name).padEnd(width)}  ${cell(value)}\n`).join('');
}

function tableText(items: readonly Record<string, unknown>[], total: number | undefined): string {
  if (items.length === 0) return 'none\n';
  const names = [...new Set(items.flatMap((item) => Object.keys(item).filter((name) => isScalar(item[name]))))];
  const known = COLUMNS.filter((name) => names.includes(name));
  const columns = (known.length > 1 ? known : names).slice(0, MAX_COLUMNS);
  if (columns.length === 0) return items.map((item) => `${cell(item)}\n`).join('');
  const rows = [columns.map(printable), ...items.map((item) => columns.map((name) => shortened(cell(item[name]))))];
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) =>
    row
      .map((text, i) => text.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
  if (total !== undefined && total > items.length) lines.push(`${items.length} of ${total}`);
  return `${lines.join('\n')}\n`;
}

/** One line of JSON that no terminal takes for commands. */
export function jsonText(data: unknown): string {
  const text = JSON.stringify(data ?? {});
  return `${text.replace(/[\x7f-\x9f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)}\n`;
}

/** `[######------] 50 %  PROCESSING`; without a number that tells how far it is, the state alone. */
export function progressText(job: Job, elapsedMs: number): string {
  const status = printable(job.status ?? 'waiting');
  const seconds = `${Math.floor(elapsedMs / 1000)} s`;
  const { progress } = job;
  if (typeof progress !== 'number' || !Number.isFinite(progress)) return `${status}  ${seconds}`;
  // Seen as a part of 1 and in percent.
  const part = Math.min(1, Math.max(0, progress <= 1 ? progress : progress / 100));
  const filled = Math.round(part * BAR_CHARACTERS);
  const bar = '#'.repeat(filled) + '-'.repeat(BAR_CHARACTERS - filled);
  return `[${bar}] ${Math.round(part * 100)} %  ${status}  ${seconds}`;
}

function isScalar(value: unknown): boolean {
  return value === null || typeof value !== 'object';
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  return printable(typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean));
}

/** Without what a terminal takes for commands, and what turns the direction of the text around it. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu, ' ');
}

function shortened(text: string): string {
  const characters = Array.from(text);
  return characters.length > MAX_CELL_CHARACTERS ? `${characters.slice(0, MAX_CELL_CHARACTERS - 1).join('')}…` : text;
}
