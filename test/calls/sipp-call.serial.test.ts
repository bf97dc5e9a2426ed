// timeout: 240 s
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { untilSettled, withGateway } from '../support/call-bench.ts';
import { needs } from '../support/needs.ts';
import { readPcapAudio } from '../support/pcap-audio.ts';
import { sipp } from '../support/sipp.ts';
import { audiblePart, locateEnds } from '../support/wav-compare.ts';

const PCAPS = '/usr/share/sip-tester';

const play = (pcap: string, codec: string, waitMs: number, ptimeMs = 30) => ({
  scenario: 'play-pcap',
  keys: { pcap: `${PCAPS}/${pcap}`, codec, events: '101', ptime: String(ptimeMs), wait: String(waitMs) },
});

const test = suite('calls from sipp');

if (needs('calls from sipp', 'sipp')) {
  test('a 30 ms A-law call is transcribed whole, once and in order', () =>
    withGateway({}, async ({ platform, gateway }) => {
      let requests = 0;
      const heard: Int16Array[] = [];
      platform.onStt = ({ audioBase64 }, connection) => {
        const wav = parseWav(Buffer.from(audioBase64, 'base64'));
        assert.is(wav.sampleRate, 16_000);
        heard.push(wavToPcm(wav));
        connection.send(`utterance ${++requests}`);
      };
      const { sip } = gateway;
      const spoken = readPcapAudio(`${PCAPS}/g711a.pcap`);
      await sipp({ ...play('g711a.pcap', '8 0', spoken.length / 8 + 1500), target: sip });
      await untilSettled(gateway, 1);
      const [started] = gateway.ofType('call.started');
      assert.is(started?.ingress, 'sip');
      assert.is(started?.from, 'caller');
      assert.is(gateway.ofType('call.ended')[0]?.reason, 'caller');
      const texts = gateway.ofType('transcript.final').map(({ text }) => text);
      assert.equal(
        texts,
        Array.from({ length: requests }, (_, i) => `utterance ${i + 1}`),
      );
      assert.ok(requests > 0);
      const all = Int16Array.from(heard.flatMap((pcm) => [...pcm])).filter((_, i) => i % 2 === 0);
      const { first, last } = locateEnds(audiblePart(spoken, 8000), all, 8000);
      assert.ok(first.correlation > 0.95 && last.correlation > 0.95, JSON.stringify({ first, last }));
    }));

  test('each DTMF capture is one digit, with three Ends of one sequence number', () =>
    withGateway({}, async ({ gateway }) => {
      const names = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'star', 'pound'];
      for (const [index, name] of names.entries()) {
        await sipp({ ...play(`dtmf_2833_${name}.pcap`, '0 8', 1000, 20), target: gateway.sip });
        await gateway.until('the end of the call', () => gateway.ofType('call.ended').length === index + 1);
      }
      const digits = gateway.ofType('dtmf').map(({ digit }) => digit);
      assert.equal(digits.join(''), '0123456789*#');
    }));

  test('SIGTERM says goodbye to a running call and exits within 5 s', () =>
    withGateway({}, async ({ gateway }) => {
      const call = sipp({ ...play('g711a.pcap', '8 0', 20_000), target: gateway.sip }).catch(() => 'refused');
      await gateway.until('the answer', () => gateway.ofType('call.answered').length === 1);
      const { code, tookMs } = await gateway.stop();
      assert.is(code, 0);
      assert.ok(tookMs < 5000, `took ${tookMs} ms`);
      assert.is(gateway.ofType('call.ended')[0]?.reason, 'shutdown');
      await call;
    }));
}

test.run();
