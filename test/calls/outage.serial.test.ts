// timeout: 180 s
import { createSocket } from 'node:dgram';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { untilSettled, withGateway } from '../support/call-bench.ts';
import { needs } from '../support/needs.ts';
import { ScriptedPlatform, type TtsCall } from '../support/scripted-platform.ts';
import { sipp } from '../support/sipp.ts';
import { until } from '../support/until.ts';

const PCAP = '/usr/share/sip-tester/g711a.pcap';
const SPEECH_MS = 7080;
const PROMPT = 'Please go on, we will listen to it later.';

const speak = (target: string, waitMs = SPEECH_MS + 1500) =>
  sipp({
    scenario: 'play-pcap',
    keys: { pcap: PCAP, codec: '8 0', events: '101', ptime: '30', wait: String(waitMs) },
    target,
  });

/** Four seconds of speech, whatever is asked for. */
const say = ({ response }: TtsCall): void => {
  response.writeHead(200, { 'content-type': 'audio/wav' });
  response.end(Buffer.alloc(32_000 * 4, 1));
};

/** Sends one INVITE. @returns the responses to it, up to the final one. */
async function invite(target: string): Promise<string[]> {
  const [host = '', port = ''] = target.split(':');
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const own = `127.0.0.1:${socket.address().port}`;
  const sdp = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n`;
  const lines = [
    `INVITE sip:gateway@${target} SIP/2.0`,
    `Via: SIP/2.0/UDP ${own};branch=z9hG4bKadmission`,
    'Max-Forwards: 70',
    `From: <sip:caller@${own}>;tag=1`,
    `To: <sip:gateway@${target}>`,
    'Call-ID: admission@test',
    'CSeq: 1 INVITE',
    `Contact: <sip:caller@${own}>`,
    'Content-Type: application/sdp',
    `Content-Length: ${sdp.length}`,
  ];
  const responses: string[] = [];
  socket.on('message', (message) => responses.push(message.toString()));
  socket.send(`${lines.join('\r\n')}\r\n\r\n${sdp}`, Number(port), host);
  const isFinal = (response: string): boolean => /^SIP\/2\.0 [2-6]/.test(response);
  await until(() => responses.some(isFinal), 'the final response');
  socket.close();
  return responses;
}

const test = suite('calls while the platform is away');

if (needs('calls while the platform is away', 'sipp')) {
  test('callers hear the prompt once, and what they say is transcribed when the platform is back', async () => {
    await withGateway(
      { GATEWAY_FALLBACK_PROMPT: PROMPT },
      async ({ platform, gateway }) => {
        platform.onStt = (_payload, connection) => connection.send('before');
        await until(() => platform.ttsCalls.length > 0, 'the prompt to be fetched');
        await speak(gateway.sip);
        await untilSettled(gateway, 1);
        const { port } = platform;
        const before = gateway.ofType('transcript.final').length;
        assert.ok(before > 0);
        await platform.close();

        await Promise.all([speak(gateway.sip, 2 * SPEECH_MS), speak(gateway.sip, 2 * SPEECH_MS)]);
        await gateway.until('the end of the calls', () => gateway.ofType('call.ended').length === 3);
        assert.is(gateway.ofType('playback.started').length, 2, 'each heard the prompt, once');
        assert.is(gateway.ofType('transcript.final').length, before);

        const back = await ScriptedPlatform.start(port);
        try {
          back.onStt = (_payload, connection) => connection.send('after');
          await untilSettled(gateway, 3, 90_000);
          const late = gateway.ofType('transcript.final').slice(before);
          assert.ok(late.length > 0);
          for (const { text, late: isLate } of late) assert.equal([text, isLate], ['after', true]);
          assert.equal(gateway.ofType('error'), []);
        } finally {
          await back.close();
        }
      },
      (platform) => {
        platform.onTts = say;
      },
    );
  });

  test('a call that the quota can not serve is refused before it rings, and told as rejected', () =>
    withGateway({ GATEWAY_ADMISSION: 'on', HAMSA_REALTIME_QUOTA: '4' }, async ({ gateway }) => {
      const responses = await invite(gateway.sip);
      const response = responses.at(-1)!;
      assert.not(
        responses.some((provisional) => provisional.startsWith('SIP/2.0 180')),
        'it does not ring',
      );
      assert.match(response, /^SIP\/2\.0 503 /);
      assert.ok(Number(/^Retry-After: (\d+)\r$/m.exec(response)?.[1]) >= 5, response);
      await gateway.until('the event', () => gateway.ofType('call.ended').length === 1);
      assert.is(gateway.ofType('call.ended')[0]!.reason, 'rejected');
      const metrics = await (await fetch(`${gateway.http}/metrics`)).text();
      assert.match(metrics, /^hamsa_gateway_calls_not_admitted_total 1$/m);
    }));

  test('without GATEWAY_ADMISSION every call is answered', () =>
    withGateway({ HAMSA_REALTIME_QUOTA: '4' }, async ({ gateway }) => {
      assert.match((await invite(gateway.sip)).at(-1)!, /^SIP\/2\.0 200 /);
    }));
}

test.run();
