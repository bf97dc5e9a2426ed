import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GatewayError } from '../../src/core/errors.ts';
import { environmentName, loadSettings } from '../../src/core/settings.ts';

const test = suite('settings');

function withFile(content: string, use: (path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'));
  const path = join(folder, 'config.json');
  writeFileSync(path, content);
  try {
    use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The refusal's message, or an assertion failure. */
function refusal(env: Record<string, string>, configFile?: string): string {
  try {
    loadSettings({ env, configFile });
  } catch (error) {
    assert.instance(error, GatewayError);
    return (error as GatewayError).message;
  }
  return assert.unreachable('nothing was refused') as never;
}

test('has a default for everything but what only the operator knows', () => {
  const { settings, warnings } = loadSettings({ env: {} });
  assert.equal(warnings, []);
  assert.is(settings.hamsaApiKey, undefined);
  assert.is(settings.hamsaRealtimeUrl, 'wss://api.tryhamsa.com/v1/realtime/ws');
  assert.equal(settings.gatewayHttp, { host: '127.0.0.1', port: 8080 });
  assert.equal(settings.gatewaySip, { host: '127.0.0.1', port: 5060 });
  assert.equal(settings.gatewayRtpPorts, [20000, 29999]);
  assert.equal(settings.gatewayEndSilenceMs, [500, 500]);
  assert.ok(Object.isFrozen(settings));
});

test('keeps 0 as a value', () => {
  const { settings } = loadSettings({
    env: { HAMSA_LOCAL_PORT: '0', GATEWAY_HTTP: '127.0.0.1:0', GATEWAY_SIP: '127.0.0.1:0/udp', GATEWAY_RTP_PORTS: '0' },
  });
  assert.is(settings.hamsaLocalPort, 0);
  assert.is(settings.gatewayHttp.port, 0);
  assert.is(settings.gatewaySip.port, 0);
  assert.equal(settings.gatewayRtpPorts, [0, 0]);
});

test('the end silence is one number or the ends of a range', () => {
  const read = (value: string) => loadSettings({ env: { GATEWAY_END_SILENCE_MS: value } }).settings.gatewayEndSilenceMs;
  assert.equal(read('700'), [700, 700]);
  assert.equal(read('250-900'), [250, 900]);
  withFile('{"gatewayEndSilenceMs":300}', (configFile) =>
    assert.equal(loadSettings({ env: {}, configFile }).settings.gatewayEndSilenceMs, [300, 300]),
  );
});

test('puts the environment over the file over the default', () => {
  withFile('{"hamsaVoice":"Lana","hamsaLanguage":"en","gatewayMaxCalls":7}', (configFile) => {
    const { settings } = loadSettings({ env: { HAMSA_VOICE: 'Majd' }, configFile });
    assert.is(settings.hamsaVoice, 'Majd');
    assert.is(settings.hamsaLanguage, 'en');
    assert.is(settings.gatewayMaxCalls, 7);
  });
});

test('refuses an unknown key of the file and warns about an unknown environment name', () => {
  withFile('{"hamsaVoise":"Lana"}', (configFile) => assert.match(refusal({}, configFile), "'hamsaVoise'"));
  const { warnings } = loadSettings({ env: { HAMSA_VOISE: 'Lana', OTHER: 'x' } });
  assert.is(warnings.length, 1);
  assert.match(warnings[0]!, 'HAMSA_VOISE');
});

test('refuses a file that is missing, not JSON or not an object', () => {
  assert.match(refusal({}, '/nowhere/config.json'), 'can not be read');
  withFile('{', (configFile) => assert.match(refusal({}, configFile), 'not JSON'));
  withFile('[]', (configFile) => assert.match(refusal({}, configFile), 'not an object'));
});

const refused: readonly (readonly [string, Record<string, string>])[] = [
  ['a port beyond 65535', { GATEWAY_HTTP: '127.0.0.1:70000' }],
  ['an address without a port', { GATEWAY_HTTP: '127.0.0.1' }],
  ['a SIP host name', { GATEWAY_SIP: 'localhost:5060' }],
  ['SIP over TCP, which is not built', { GATEWAY_SIP: '127.0.0.1:5060/udp,tcp' }],
  ['a number with letters', { GATEWAY_MAX_CALLS: '10x' }],
  ['a negative number', { GATEWAY_MAX_CALLS: '-1' }],
  ['a reversed port range', { GATEWAY_RTP_PORTS: '30000-20000' }],
  ['half a CIDR', { GATEWAY_SIP_ALLOW: '10.0.0.0/33' }],
  ['an unencrypted platform', { HAMSA_BASE_URL: 'http://api.example.com' }],
  ['an unencrypted realtime socket', { HAMSA_REALTIME_URL: 'ws://api.example.com/x' }],
  ['a URL with credentials', { HAMSA_BASE_URL: 'https://me:word@api.example.com' }],
  ['HTTP beyond loopback without a token', { GATEWAY_HTTP: '0.0.0.0:8080' }],
  ['SIP beyond loopback without an allow list', { GATEWAY_SIP: '0.0.0.0:5060' }],
  ['an agent without an id', { GATEWAY_ON_CALL: 'agent:' }],
  ['an agent URL that is not encrypted', { HAMSA_AGENT_URL: 'ws://agents.example/stream' }],
  ['recording, which is not built', { GATEWAY_RECORD: 'on' }],
  ['a reversed end silence', { GATEWAY_END_SILENCE_MS: '900-250' }],
  ['an end silence with half a range', { GATEWAY_END_SILENCE_MS: '250-' }],
  ['a word for a switch', { HAMSA_ALLOW_INSECURE: 'maybe' }],
];
for (const [what, env] of refused) {
  test(`refuses ${what}, saying what is needed`, () => {
    const message = refusal(env);
    assert.match(message, 'needed:');
    assert.match(message, 'cure:');
  });
}

test('allows an unencrypted platform on loopback, or when told to', () => {
  assert.is(
    loadSettings({ env: { HAMSA_BASE_URL: 'http://127.0.0.1:8790/' } }).settings.hamsaRealtimeUrl,
    'ws://127.0.0.1:8790/v1/realtime/ws',
  );
  loadSettings({ env: { HAMSA_BASE_URL: 'http://api.example.com', HAMSA_ALLOW_INSECURE: 'true' } });
});

test('never shows a secret that it refuses', () => {
  const message = refusal({ GATEWAY_REDIS_URL: 'http://:planted-password@host' });
  assert.not.match(message, 'planted-password');
});

test('strips the word Bearer from the webhook token', () => {
  assert.is(loadSettings({ env: { GATEWAY_WEBHOOK_TOKEN: 'Bearer abc' } }).settings.gatewayWebhookToken, 'abc');
});

test('names each setting as the contract does', () => {
  assert.is(environmentName('hamsaApiKey'), 'HAMSA_API_KEY');
  assert.is(environmentName('gatewayMediaTimeoutS'), 'GATEWAY_MEDIA_TIMEOUT_S');
});

test.run();
