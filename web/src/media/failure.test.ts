import { expect, it } from 'vitest';

import { explain, type ConnectionFacts } from './failure';

const FACTS: ConnectionFacts = {
  wasConnected: false,
  localCandidates: 2,
  remote: [{ address: '203.0.113.7', port: 10_000, protocol: 'UDP' }],
  responses: 0,
  pageHost: 'study.example.org',
};

it('says that a connection which worked was interrupted', () => {
  expect(explain({ ...FACTS, wasConnected: true }).title).toMatch(/interrupted/);
});

it('says that the browser has no network for calls', () => {
  expect(explain({ ...FACTS, localCandidates: 0 }).reason).toMatch(/extension/);
});

it('says where no answer came from', () => {
  const { reason } = explain(FACTS);
  expect(reason).toContain('203.0.113.7 (UDP port 10000)');
  expect(reason).toMatch(/firewall/i);
});

it('says that the server answered but the handshake did not end', () => {
  expect(explain({ ...FACTS, responses: 3 }).reason).toMatch(/encrypted/);
});

it('tells the operator what to set when the server announces itself as this computer', () => {
  const remote = [{ address: '127.0.0.1', port: 10_000, protocol: 'UDP' }];
  expect(explain({ ...FACTS, remote }).advice).toContain('MEDIASOUP_ANNOUNCED_IP');
  // On the server's own computer that address is right.
  expect(explain({ ...FACTS, remote, pageHost: 'localhost' }).advice).not.toContain('MEDIASOUP_ANNOUNCED_IP');
});

it.each(['10.1.2.3', '192.168.0.5', '172.20.1.1', '100.64.0.1', 'fd00::2', 'fe80::1'])(
  'tells the operator what to set when a public server announces %s',
  (address) => {
    const facts = { ...FACTS, pageHost: '203.0.113.7', remote: [{ address, port: 10_000, protocol: 'UDP' }] };
    expect(explain(facts).advice).toContain('public address');
    // Inside the same network a private address is right, and a name may lead anywhere.
    expect(explain({ ...facts, pageHost: '192.168.0.9' }).reason).toMatch(/No answer/);
    expect(explain({ ...facts, pageHost: 'study.example.org' }).reason).toMatch(/No answer/);
  },
);
