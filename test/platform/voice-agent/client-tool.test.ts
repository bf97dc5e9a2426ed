import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ClientTool, ClientTools, type ToolOutcome } from '../../../src/platform/voice-agent/client-tool.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const add: ClientTool = {
  function_name: 'add',
  parameters: [
    { name: 'a', type: 'number' },
    { name: 'b', type: 'integer' },
    { name: 'label', type: 'string' },
  ],
  required: ['a', 'b'],
  fn: (a: number, b: number, label?: string) => ({ sum: a + b, label }),
};

function makeTools(...tools: ClientTool[]): { tools: ClientTools; clock: FakeClock; outcomes: ToolOutcome[] } {
  const clock = new FakeClock();
  const outcomes: ToolOutcome[] = [];
  return {
    clock,
    outcomes,
    tools: new ClientTools(tools, { clock, timeoutMs: 1000, onOutcome: (o) => outcomes.push(o) }),
  };
}

async function answer(tool: ClientTool, args: string): Promise<unknown> {
  const { tools } = makeTools(tool);
  const result = await tools.run({ id: 'call-1', name: tool.function_name, arguments: args });
  assert.is(result.id, 'call-1');
  assert.is(result.function.name, tool.function_name);
  return result.function.response;
}

const test = suite('client-side tools');

test('gives arguments in the order of the parameters, not in that of the agent', async () => {
  assert.equal(await answer(add, '{"label":"x","b":2,"a":1.5,"extra":true}'), { sum: 3.5, label: 'x' });
  assert.equal(await answer(add, '{"b":2,"a":1}'), { sum: 3 });
});

test('refuses arguments that are missing, of another type, or no object', async () => {
  assert.is(await answer(add, '{"a":1}'), "Error: the argument 'b' is missing");
  assert.is(await answer(add, '{"a":1,"b":null}'), "Error: the argument 'b' is missing");
  assert.is(await answer(add, '{"a":"1","b":2}'), "Error: the argument 'a' is not of type number");
  assert.is(await answer(add, '{"a":1,"b":2.5}'), "Error: the argument 'b' is not of type integer");
  assert.is(await answer(add, '{"a":1,'), 'Error: the arguments are not JSON');
  assert.is(await answer(add, '[1,2]'), 'Error: the arguments are not an object');
  const typed = (type: string): ClientTool => ({
    function_name: 'f',
    parameters: [{ name: 'x', type }],
    fn: (x: unknown) => typeof x,
  });
  assert.is(await answer(typed('array'), '{"x":{}}'), "Error: the argument 'x' is not of type array");
  assert.is(await answer(typed('object'), '{"x":[]}'), "Error: the argument 'x' is not of type object");
  assert.is(await answer(typed('boolean'), '{"x":false}'), 'boolean');
  assert.is(await answer(typed('string'), ''), 'undefined');
});

test('does not take what an object inherits for an argument', async () => {
  const tool: ClientTool = {
    function_name: 'f',
    parameters: [{ name: 'toString', type: 'string' }],
    fn: (x: unknown) => x,
  };
  assert.is(await answer(tool, '{}'), null);
});

test('answers what is wrong with a function or its result', async () => {
  const returning = (fn: () => unknown): ClientTool => ({ function_name: 'f', fn });
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  assert.is(
    await answer(
      returning(() => Promise.reject(new Error('no such user'))),
      '{}',
    ),
    'Error executing the function: no such user',
  );
  const fails: () => unknown = () => {
    throw new Error('at once');
  };
  assert.is(await answer(returning(fails), '{}'), 'Error executing the function: at once');
  assert.match(
    String(
      await answer(
        returning(() => circular),
        '{}',
      ),
    ),
    'Error executing the function',
  );
  assert.match(
    String(
      await answer(
        returning(() => 1n),
        '{}',
      ),
    ),
    'Error executing the function',
  );
  assert.is(
    await answer(
      returning(() => 'x'.repeat(70_000)),
      '{}',
    ),
    'Error: the result has 70002 characters',
  );
  assert.is(
    await answer(
      returning(() => undefined),
      '{}',
    ),
    null,
  );
  assert.is(
    await answer(
      returning(() => () => 1),
      '{}',
    ),
    'Error: the result can not be written as JSON',
  );
});

test('does not wait for ever, nor run everything at once', async () => {
  const { tools, clock, outcomes } = makeTools({ function_name: 'f', fn: () => new Promise(() => {}) });
  const calls = Array.from({ length: 33 }, (_, i) => tools.run({ id: String(i), name: 'f', arguments: '{}' }));
  assert.is((await calls[32]!).function.response, 'Error: 32 functions run already');
  clock.advance(1000);
  const answers = await Promise.all(calls.slice(0, 32));
  assert.ok(
    answers.every(({ function: { response } }) => response === 'Error: the function did not answer within 1000 ms'),
  );
  assert.equal([outcomes.length, outcomes.at(-1)], [33, { name: 'f', succeeded: false, durationMs: 1000 }]);
});

test('tells the agent of functions that it invented', async () => {
  const { tools } = makeTools(add);
  const { function: called } = await tools.run({ id: '1', name: 'subtract', arguments: '{}' });
  assert.equal(called, { name: 'subtract', response: 'Error could not find the function' });
});

test('refuses tools that are not described as they must be', () => {
  const fn = (): void => {};
  const refused: readonly (readonly [ClientTool[], RegExp])[] = [
    [[{ function_name: 'a b', fn }], /function_name/],
    [[{ function_name: 'a', fn: 'code' as never }], /fn/],
    [[{ function_name: 'a', fn, parameters: [{ name: 'x', type: 'date' }] }], /type/],
    [[{ function_name: 'a', fn, parameters: [{ name: '', type: 'string' }] }], /name/],
    [[{ function_name: 'a', fn, required: ['x'] }], /declared/],
    [[add, add], /twice/],
  ];
  for (const [tools, message] of refused) assert.throws(() => makeTools(...tools), message);
});

test.run();
