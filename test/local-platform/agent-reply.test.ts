import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ClientTool } from '../../src/local-platform/agent/conversation-request.ts';
import { chooseReply, fillIn, sayResponse } from '../../src/local-platform/agent/reply.ts';

const test = suite('reply of the voice agent');

function tool(name: string, description: string, properties: Record<string, { type?: string }> = {}): ClientTool {
  return { name, description, parameters: { properties } };
}

test('repeats what was said when no tool is about it', () => {
  const tools = [tool('getWeather', 'Tells the weather of a city')];
  assert.equal(chooseReply('is the weather good', tools, {}).kind, 'tool', 'all words of the name were said');
  assert.equal(chooseReply('the city is nice', tools, {}), {
    kind: 'say',
    texts: ['You said: the city is nice', 'the city is nice'],
  });
});

test('takes the tool of which most words were said', () => {
  const tools = [tool('find_order', 'Finds an order'), tool('cancelOrder', 'Cancels an order of the shop')];
  const reply = chooseReply('please cancel my order', tools, {});
  assert.equal(reply, { kind: 'tool', name: 'cancelOrder', arguments: {} });
});

test('words that mean nothing call no tool', () => {
  assert.is(chooseReply('what is this for', [tool('getThe', 'For this and that with your')], {}).kind, 'say');
});

test('gives the parameters of a tool in their order: params, numbers, flags, and what was said', () => {
  const properties = { userId: {}, count: { type: 'integer' }, sure: { type: 'boolean' }, text: { type: 'string' } };
  const reply = chooseReply('order seven apples', [tool('orderApples', '', properties)], { userId: 'u-1' });
  assert.equal(reply, {
    kind: 'tool',
    name: 'orderApples',
    arguments: { userId: 'u-1', count: 7, sure: true, text: 'order seven apples' },
  });
});

test('says goodbye, whole words only', () => {
  assert.is(chooseReply('okay goodbye', [], {}).kind, 'hang-up');
  assert.is(chooseReply('a byelaw', [], {}).kind, 'say');
});

test('says what a tool answered, whatever it was', () => {
  assert.equal(sayResponse('getUserInfo', 'gold member'), [
    'The result of get user info is: gold member',
    'gold member',
  ]);
  assert.is(sayResponse('x', { a: 1 })[1], '{"a":1}');
  assert.is(sayResponse('x', undefined)[1], 'nothing');
  assert.is(sayResponse('x', '  ')[1], 'nothing');
  assert.is(sayResponse('x', 'y'.repeat(9999))[1]?.length, 500);
});

test('fills params into a greeting', () => {
  assert.is(fillIn('Hello {{ name }}, {{constructor}}{{n}}!', { name: 'Mona', n: 3 }), 'Hello Mona, 3!');
});

test.run();
