import test from 'ava';
import { encodeArp } from '../../l2/frames.ts';
import { claimantOf, probeFrame } from '../../l2/probe.ts';
import { ip } from '../../lb/ip.ts';

const [mac, other] = ['02:00:00:00:00:0c', '02:00:00:00:00:0a'];
const [vip, vip6] = [ip('192.0.2.100'), ip('2001:db8::64')];

// l2.md 9.1, "ARP probe" and "DAD NS": frames that the responder answers and nobody learns from.
test('a probe is the ARP probe and the solicitation of the test vectors', (t) => {
  t.is(
    Buffer.from(probeFrame(vip, mac)).toString('hex'),
    'ffffffffffff02000000000c0806000108000604000102000000000c00000000000000000000c0000264',
  );
  t.is(
    Buffer.from(probeFrame(vip6, mac)).toString('hex'),
    '3333ff00006402000000000c86dd6000000000183aff00000000000000000000000000000000'
      + 'ff0200000000000000000001ff00006487004c270000000020010db8000000000000000000000064',
  );
});

test('a claimant is who answers for the address, in either family, and nobody else', (t) => {
  const reply = {
    kind: 'arp', ethSource: other, ethTarget: mac, opcode: 2, senderMac: other, senderIp: vip,
    targetMac: mac, targetIp: ip('0.0.0.0'),
  } as const;
  t.is(claimantOf(encodeArp(reply), vip), other);
  t.is(claimantOf(encodeArp(reply), ip('192.0.2.101')), undefined);
  t.is(claimantOf(probeFrame(vip, mac), vip), undefined, 'a question is no answer');
  t.is(claimantOf(probeFrame(vip6, mac), vip6), undefined);
});
