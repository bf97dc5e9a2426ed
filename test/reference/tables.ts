import { type MeasuredParts, measurements } from '../../src/apps/measurements.ts';
import { LATENCY_WORDS, type LatencyWord } from '../../src/call/timeline.ts';
import { ERRORS } from '../../src/core/errors.ts';
import { EVENT_FIELDS } from '../../src/core/events.ts';
import { environmentName } from '../../src/core/settings.ts';
import { SETTINGS } from '../../src/core/settings-table.ts';
import { AbortedError, platformError, type PlatformErrorCode } from '../../src/platform/platform-errors.ts';
import { latencyMetricName } from '../../src/server/metrics.ts';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export function settingTable(): string {
  const rows = Object.entries(SETTINGS).map(([name, { needed, preset, about, pending }]) => {
    const notYet = pending === undefined ? '' : pending === 'warn' ? ' No effect yet.' : ' Not built yet.';
    return [
      `\`${environmentName(name)}\``,
      needed,
      preset === undefined || preset === '' ? '' : `\`${preset}\``,
      about + notYet,
    ];
  });
  return table(['name', 'value', 'default', 'what it does'], rows);
}

export function errorTable(): string {
  const rows = Object.entries(ERRORS).map(([code, entry]) => [
    `\`${code}\``,
    entry.meaning,
    entry.retryable ? 'yes' : 'no',
    String(entry.httpStatus ?? ''),
    String(entry.sipStatus ?? ''),
  ]);
  return table(['code', 'meaning', 'a repeat may help', 'HTTP', 'SIP'], rows);
}

export function errorClassTable(): string {
  const codes = Object.keys(ERRORS).filter((code): code is PlatformErrorCode => code.startsWith('ERR_PLATFORM_'));
  // Whether the platform answered at all makes a class of its own.
  const errors = codes.flatMap((code) => [platformError(code, ''), platformError(code, '', { status: 500 })]);
  const classes = new Map<string, Set<string>>();
  for (const { name, code } of [...errors, new AbortedError('')]) {
    classes.set(name, (classes.get(name) ?? new Set()).add(`\`${code}\``));
  }
  return table(
    ['class', 'codes'],
    [...classes].map(([name, its]) => [`\`${name}\``, [...its].join(', ')]),
  );
}

export function eventTable(): string {
  const rows = Object.entries(EVENT_FIELDS).map(([type, fields]) => [
    `\`${type}\``,
    Object.entries(fields)
      .map(([name, kind]) => `\`${name}\` ${kind.endsWith('?') ? `(${kind.slice(0, -1)}, optional)` : `(${kind})`}`)
      .join(', '),
  ]);
  return table(['type', 'fields besides `type`, `at`, `callId`'], rows);
}

export function metricTable(): string {
  const measured = measurements({} as unknown as MeasuredParts).map(({ name, kind, help }) => [
    `\`${name}\``,
    kind,
    help,
  ]);
  const latencies = (Object.entries(LATENCY_WORDS) as [LatencyWord, string][]).map(([word, help]) => {
    return [`\`${latencyMetricName(word)}\``, 'histogram', help];
  });
  return table(['name', 'kind', 'what it tells'], [...measured, ...latencies]);
}
