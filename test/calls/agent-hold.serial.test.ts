import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { needs } from '../support/needs.ts';
import { RtpPhone } from '../support/rtp-phone.ts';
import { sipp } from '../support/sipp.ts';
import { until } from '../support/until.ts';
import { locateEnds } from '../support/wav-compare.ts';
import { assertWhole, metric, prompt, RATE, wide, withAgentCall } from './agent-call-world.ts';

const test = suite('calls to a hosted agent, on hold');
const TALK_MS = 3_500;
const HOLD_MS = 2_000;

if (needs('hold of a call to an agent', 'sipp') && needs('Asterisk prompts', 'pocketsphinx_batch')) {
  test('a held caller is neither heard nor spoken to, and afterwards both go on in the present', () =>
    withAgentCall(async ({ agent, gateway }) => {
      const phone = await RtpPhone.open(prompt('vm-intro'));
      const spoken = ['vm-goodbye', 'vm-youhave', 'vm-nomore'].map(prompt);
      const unheard = prompt('tt-weasels');
      const over = sipp({
        scenario: 'hold-and-resume',
        keys: { port: String(phone.port), talk: String(TALK_MS), hold: String(HOLD_MS) },
        target: gateway.sip,
      });
      const socket = await agent.socket(1);
      const say = async (pcm: Int16Array, name: string): Promise<void> => {
        socket.say(wide(pcm));
        socket.mark(name);
        await until(() => socket.marks.includes(name), `the mark ${name}`, 10_000);
      };
      await say(spoken[0]!, 'spoken 0');
      for (const hold of [1, 2]) {
        await gateway.until('the hold', () => gateway.ofType('call.held').length === hold);
        const [heardBefore, receivedBefore, sentBefore] = [
          socket.heard.length,
          phone.receivedPackets,
          phone.sentPackets,
        ];
        await say(unheard, `unheard ${hold}`);
        await gateway.until('the end of the hold', () => gateway.ofType('call.resumed').length === hold);
        assert.is(socket.heard.length, heardBefore, 'a held caller is not heard');
        assert.ok(phone.sentPackets - sentBefore > HOLD_MS / 40, 'although it sends');
        assert.ok(phone.receivedPackets - receivedBefore < 10, 'and is sent nothing');
        const resumedMs = performance.now();
        await until(() => socket.heard.length > heardBefore + 16_000, 'a second of the caller', 10_000);
        assert.ok(performance.now() - resumedMs < 1_500, `after ${performance.now() - resumedMs} ms`);
        await say(spoken[hold]!, `spoken ${hold}`);
      }
      await over;

      const earpiece = phone.heard;
      phone.close();
      const places = spoken.map((pcm, index) => assertWhole(`spoken ${index}`, pcm, earpiece));
      assert.equal(
        places,
        places.toSorted((a, b) => a - b),
      );
      const stale = locateEnds(unheard, earpiece, RATE);
      assert.ok(stale.first.correlation < 0.8, `what was said on hold is heard: ${JSON.stringify(stale)}`);
      assert.equal(socket.marks, ['spoken 0', 'unheard 1', 'spoken 1', 'unheard 2', 'spoken 2']);
      const droppedMs = 1000 * (await metric(gateway, 'agents_dropped_down_seconds_total'));
      assert.ok(Math.abs(droppedMs - (2 * unheard.length) / 8) < 2, `${droppedMs} ms`);
      assert.equal(gateway.ofType('error'), []);

      const { callId, parameters } = gateway.ofType('call.started')[0]!;
      assert.equal(parameters, { customer_id: 'C-7', from: 'forged' });
      assert.equal(agent.inits[0]?.body['params'], { customer_id: 'C-7', from: 'caller', to: 'gateway', callId });
    }));
}

test.run();
