// timeout: 240 s
import { createSocket } from 'node:dgram';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { untilSettled, withGateway } from '../support/call-bench.ts';
import { needs } from '../support/needs.ts';
import { sipp } from '../support/sipp.ts';

const PCAP = '/usr/share/sip-tester/g711a.pcap';
const SPEECH_MS = 7080;

const speak = (target: string, waitMs = SPEECH_MS + 1500) =>
  sipp({
    scenario: 'play-pcap',
    keys: { pcap: PCAP, codec: '8 0', events: '101', ptime: '30', wait: String(waitMs) },
    target,
  });

const test = suite('calls when things go wrong');

if (needs('calls when things go wrong', 'sipp')) {
  test('an utterance whose socket dies is sent once more and transcribed once', () =>
    withGateway({}, async ({ platform, gateway }) => {
      const received: string[] = [];
      platform.onStt = ({ audioBase64 }, connection) => {
        received.push(audioBase64);
        if (received.length === 1) connection.cut();
        else connection.send('after the cut');
      };
      await speak(gateway.sip);
      await untilSettled(gateway, 1);
      assert.is(received[0], received[1], 'the same audio again');
      assert.is(gateway.ofType('transcript.final').length, received.length - 1);
      assert.is(gateway.ofType('transcript.final')[0]?.text, 'after the cut');
    }));

  test('utterances whose sockets keep dying are kept, and transcribed once sockets live again', () =>
    withGateway({}, async ({ platform, gateway }) => {
      platform.onStt = (_payload, connection) => connection.close(1011);
      await speak(gateway.sip);
      await gateway.until('the end of the call', () => gateway.ofType('call.ended').length === 1);
      assert.equal(gateway.ofType('transcript.final'), []);
      platform.onStt = (_payload, connection) => connection.send('late but heard');
      await untilSettled(gateway, 1, 90_000);
      assert.equal(gateway.ofType('error'), []);
      for (const { text, late } of gateway.ofType('transcript.final')) {
        assert.equal([text, late], ['late but heard', true]);
      }
    }));

  test('an empty wallet stops requests, and the gateway says so', () =>
    withGateway({}, async ({ platform, gateway }) => {
      let requests = 0;
      platform.onStt = (_payload, connection) => {
        requests++;
        connection.close(4003);
      };
      await Promise.all([speak(gateway.sip), speak(gateway.sip)]);
      await untilSettled(gateway, 2);
      for (const error of gateway.ofType('error')) assert.is(error.code, 'ERR_PLATFORM_WALLET');
      assert.ok(requests <= 2, `${requests} requests, at most one a connection that was open`);
      const ready = (await (await fetch(`${gateway.http}/health/ready`)).json()) as {
        ready: boolean;
        degraded: boolean;
      };
      assert.equal([ready.ready, ready.degraded], [true, true]);
    }));

  test('a refused key makes the gateway not ready', () =>
    withGateway({}, async ({ platform, gateway }) => {
      platform.onConnection = (connection) => connection.close(4001);
      await speak(gateway.sip);
      await untilSettled(gateway, 1);
      assert.is(gateway.ofType('error')[0]?.code, 'ERR_PLATFORM_AUTH');
      const carriers = platform.handshakes.map(({ carrier }) => carrier);
      assert.equal(carriers, ['header', 'query'], 'both ways are tried, once');
      assert.is((await fetch(`${gateway.http}/health/ready`)).status, 503);
    }));

  test('a caller who vanishes is hung up after the media timeout', () =>
    withGateway({ GATEWAY_MEDIA_TIMEOUT_S: '2' }, async ({ platform, gateway }) => {
      platform.onStt = (_payload, connection) => connection.send('heard');
      await sipp({ scenario: 'vanish', keys: { pcap: PCAP }, target: gateway.sip });
      await untilSettled(gateway, 1);
      assert.is(gateway.ofType('call.ended')[0]?.reason, 'mediaTimeout');
      assert.ok(gateway.ofType('transcript.final').length > 0);
    }));

  test('garbage on the SIP port is counted, and a call does not notice', () =>
    withGateway({}, async ({ platform, gateway }) => {
      platform.onStt = (_payload, connection) => connection.send('heard');
      const port = Number(gateway.sip.split(':')[1]);
      const socket = createSocket('udp4');
      const garbage = ['', '\r\n\r\n', 'INVITE', 'INVITE sip:a SIP/2.0\r\n\r\n', '\0'.repeat(500), 'x'.repeat(60_000)];
      const call = speak(gateway.sip);
      await gateway.until('the answer', () => gateway.ofType('call.answered').length === 1);
      for (const text of garbage) socket.send(text, port, '127.0.0.1');
      await call;
      socket.close();
      await untilSettled(gateway, 1);
      assert.ok(gateway.ofType('transcript.final').length > 0);
      const metrics = await (await fetch(`${gateway.http}/metrics`)).text();
      assert.ok(Number(/^hamsa_gateway_sip_malformed_total (\d+)/m.exec(metrics)?.[1]) >= 3, metrics);
    }));
}

test.run();
