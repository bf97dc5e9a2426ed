import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { SocketAddress } from '../../src/sip/socket-address.ts';
import { parseVia, parseViaList, responseDestination, serializeReceivedVia } from '../../src/sip/via.ts';

const test = suite('Via');

const SOURCE: SocketAddress = { address: '203.0.113.5', port: 33000 };
const anybody = (): boolean => true;

interface Row {
  readonly via: string;
  readonly echoed: string;
  readonly destination: SocketAddress;
}

const ROWS: Readonly<Record<string, Row>> = {
  'a peer that says who it is is answered at its port': {
    via: 'SIP/2.0/UDP 203.0.113.5:5070;branch=z9hG4bK1',
    echoed: 'SIP/2.0/UDP 203.0.113.5:5070;branch=z9hG4bK1',
    destination: { address: '203.0.113.5', port: 5070 },
  },
  'the port is 5060 when none is given': {
    via: 'SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK1',
    echoed: 'SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK1',
    destination: { address: '203.0.113.5', port: 5060 },
  },
  'another address than the source gets received': {
    via: 'SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1',
    echoed: 'SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;received=203.0.113.5',
    destination: { address: '203.0.113.5', port: 5070 },
  },
  'a name gets received': {
    via: 'SIP/2.0/UDP pc.example.com;branch=z9hG4bK1',
    echoed: 'SIP/2.0/UDP pc.example.com;branch=z9hG4bK1;received=203.0.113.5',
    destination: { address: '203.0.113.5', port: 5060 },
  },
  'rport is filled in and followed (RFC 3581)': {
    via: 'SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bK1',
    echoed: 'SIP/2.0/UDP 10.0.0.1:5070;rport=33000;branch=z9hG4bK1;received=203.0.113.5',
    destination: SOURCE,
  },
  'rport brings received even when the address is right': {
    via: 'SIP/2.0/UDP 203.0.113.5;rport;branch=z9hG4bK1',
    echoed: 'SIP/2.0/UDP 203.0.113.5;rport=33000;branch=z9hG4bK1;received=203.0.113.5',
    destination: SOURCE,
  },
  'what the peer itself says of received is not believed': {
    via: 'SIP/2.0/UDP 203.0.113.5;received=198.51.100.99;branch=z9hG4bK1',
    echoed: 'SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK1',
    destination: { address: '203.0.113.5', port: 5060 },
  },
  'maddr is followed': {
    via: 'SIP/2.0/UDP 203.0.113.5:5070;maddr=198.51.100.2;branch=z9hG4bK1',
    echoed: 'SIP/2.0/UDP 203.0.113.5:5070;maddr=198.51.100.2;branch=z9hG4bK1',
    destination: { address: '198.51.100.2', port: 5070 },
  },
};

for (const [name, { via, echoed, destination }] of Object.entries(ROWS)) {
  test(name, () => {
    const parsed = parseVia(via);
    assert.is(serializeReceivedVia(parsed, SOURCE), echoed);
    assert.equal(responseDestination(parsed, SOURCE, anybody), destination);
  });
}

test('maddr outside the allow list is not followed', () => {
  const via = parseVia('SIP/2.0/UDP 203.0.113.5;maddr=198.51.100.2;branch=z9hG4bK1');
  assert.equal(
    responseDestination(via, SOURCE, () => false),
    { address: '203.0.113.5', port: 5060 },
  );
});

test('a Via that can not be read is answered at the source', () => {
  assert.equal(responseDestination(undefined, SOURCE, anybody), SOURCE);
});

test('a list keeps its order and its quotes', () => {
  const list = parseViaList('SIP/2.0/UDP a;x="1,2", SIP / 2.0 / TCP b : 5061 ;branch = y');
  assert.equal(
    list.map(({ protocol, host, port, branch }) => [protocol, host, port, branch]),
    [
      ['SIP/2.0/UDP', 'a', undefined, undefined],
      ['SIP/2.0/TCP', 'b', 5061, 'y'],
    ],
  );
});

test.run();
