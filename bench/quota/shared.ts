/**
 * Three gateways, each a process of its own with more to do than it may, share one quota of 100 a minute through Redis,
 * in real time, against the strictest limiter: a sliding log that counts refusals.
 *
 * `node --import tsx bench/quota/shared.ts [--minutes 10] [--json FILE]` (needs Debian's `redis-server`)
 */
import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { LIMITER_KINDS } from '../../test/support/limiters.ts';
import { RedisServer } from '../../test/support/redis-server.ts';
import { describeMachine, jsonFileOption, printMachine, writeJson } from '../support/report.ts';

const GATEWAYS = 3;
const LIMIT = 100;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } }, strict: false });
const minutes = Number(values.minutes);
const machine = describeMachine();
printMachine(machine);

const limiter = LIMITER_KINDS[2]!(LIMIT);
const server = await RedisServer.launch();
const allowed = Array<number>(GATEWAYS).fill(0);
let refused = 0;
const children = allowed.map((_, gateway): ChildProcess => {
  const program = new URL('gateway-process.ts', import.meta.url).pathname;
  const child = fork(program, [server.url, `gateway-${gateway}`], { execArgv: ['--import', 'tsx'] });
  child.on('message', () => {
    const verdict = limiter.take(performance.now());
    if (verdict.allowed) allowed[gateway]!++;
    else refused++;
    child.send(verdict.allowed);
  });
  return child;
});
await new Promise((resolve) => children[0]!.once('message', resolve));
await setTimeout(minutes * 60_000);
for (const child of children) child.disconnect();
await server.close();

const total = allowed.reduce((sum, one) => sum + one, 0);
const usedPart = total / (LIMIT * minutes);
console.log(
  `${GATEWAYS} processes, ${minutes} minutes: ${(usedPart * 100).toFixed(1)} % of the quota used ` +
    `(${allowed.join(' + ')}), ${refused} refused`,
);
writeJson(jsonFileOption(), { machine, limiter: limiter.name, minutes, allowed, refused, usedPart });
process.exitCode = usedPart >= 0.95 && refused === 0 ? 0 : 1;
