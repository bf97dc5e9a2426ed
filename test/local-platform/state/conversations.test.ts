import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CallEvent, Conversations } from '../../../src/local-platform/state/conversations.ts';
import type { Agent } from '../../../src/local-platform/state/records.ts';
import { PlatformState } from '../../../src/local-platform/state/state.ts';
import { FakeClock } from '../../support/fake-clock.ts';

interface World {
  clock: FakeClock;
  events: CallEvent[];
  conversations: Conversations;
  agent: Agent;
}

const test = suite<World>('conversations');
test.before.each((world) => {
  world.clock = new FakeClock();
  world.events = [];
  const state = new PlatformState(world.clock, (event) => world.events.push(event));
  world.conversations = state.conversations;
  world.agent = state.agents.put(state.make({ name: 'Support', params: { shop: 'riyadh' } }));
});

test('tells each event with the conversation as it is then, and no two at the same time', (world) => {
  const { conversations, agent, clock, events } = world;
  const { id } = conversations.start({ agent, channel: 'phone', to: '+966500000000', params: { user_id: 'u1' } });
  conversations.answer(id);
  conversations.answer(id);
  conversations.addTurn(id, 'Agent', 'Hello!');
  conversations.addToolCall(id, { name: 'weather', params: {}, ok: true, result: { sun: true } });
  clock.advance(1500);
  conversations.end(id);
  conversations.end(id, { reason: 'too late' });
  conversations.addTurn(id, 'User', 'Anybody there?');
  assert.equal(
    events.map(({ type }) => type),
    ['call.started', 'call.answered', 'transcription.update', 'tool.executed', 'call.ended'],
  );
  assert.equal(
    events.map(({ conversation }) => conversation.status),
    ['PENDING', 'ONGOING', 'ONGOING', 'ONGOING', 'COMPLETED'],
  );
  assert.is(new Set(events.map(({ atMs }) => atMs)).size, 5);
  const ended = conversations.get(id);
  assert.equal(ended.transcription, [{ Agent: 'Hello!' }]);
  assert.is(ended.durationMs, 1500);
  assert.equal(ended.outcomeResult, { shop: 'riyadh', user_id: 'u1', resolved: true, sentiment_score: 0.8 });
  assert.is(conversations.ongoing, 0);
  assert.is(conversations.audioOf(id), undefined);
});

test('a listener hears both sides mixed in real time, and what was interrupted not at all', async (world) => {
  const { conversations, agent, clock } = world;
  const { id } = conversations.start({ agent, channel: 'web' });
  const audio = conversations.audioOf(id)!;
  const heard: number[] = [];
  const listening = (async () => {
    for await (const bytes of audio.listen(new AbortController().signal)!) {
      heard.push(...new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2));
    }
  })();
  assert.is(audio.listeners, 1);
  audio.say('Agent', new Int16Array(3200).fill(100));
  audio.say('Agent', new Int16Array(1600).fill(200));
  audio.say('User', new Int16Array(1600).fill(7));
  clock.advance(100);
  audio.interrupt('User');
  clock.advance(150);
  audio.interrupt('Agent');
  clock.advance(150);
  conversations.end(id);
  await listening;
  // Milliseconds 0-100 both, to 200 the agent, to 250 what it says next, then silence.
  const at = (ms: number): number | undefined => heard[ms * 16];
  assert.equal(
    [at(0), at(99), at(100), at(199), at(200), at(249), at(251), at(399)],
    [107, 107, 100, 100, 200, 200, 0, 0],
  );
  assert.is(heard.length, 6400);
  assert.is(audio.listeners, 0);
  assert.is(clock.timers, 0);
});

test('a listener who goes away is forgotten, and samples of both sides are clipped', async ({
  conversations,
  agent,
  clock,
}) => {
  const audio = conversations.audioOf(conversations.start({ agent, channel: 'web' }).id)!;
  const gone = new AbortController();
  const chunks: Uint8Array[] = [];
  const listening = (async () => {
    for await (const bytes of audio.listen(gone.signal)!) chunks.push(bytes);
  })();
  audio.say('Agent', new Int16Array(1600).fill(30_000));
  audio.say('User', new Int16Array(1600).fill(30_000));
  clock.advance(100);
  gone.abort();
  await listening;
  assert.is(new Int16Array(chunks[0]!.buffer)[5], 32_767);
  assert.is(audio.listeners, 0);
  assert.is(clock.timers, 0);
});

test.run();
