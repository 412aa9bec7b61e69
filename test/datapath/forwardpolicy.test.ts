import test from 'ava';
import { forwardClosed } from '../../bpf/forwardpolicy.ts';

const saved = (policy: string, ...rules: readonly string[]): string => [
  '*nat', ':PREROUTING ACCEPT [0:0]', 'COMMIT', '*filter', ':INPUT ACCEPT [0:0]',
  `:FORWARD ${policy} [0:0]`, ':KUBE-FORWARD - [0:0]', ...rules, 'COMMIT', '',
].join('\n');

const judges = test.macro({
  exec: (t, closed: boolean, policy: string, ...rules: readonly string[]) => (
    t.is(forwardClosed(saved(policy, ...rules)), closed)
  ),
  title: (_, closed, policy, ...rules) => (
    `FORWARD ${policy} ${rules.join('; ')} is ${closed ? 'closed' : 'open'}`
  ),
});

const replies = '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT';
test(judges, false, 'ACCEPT');
test(judges, true, 'DROP');
test(judges, true, 'DROP', replies);
// Docker sets the policy, and accepts its own bridge only.
test(judges, true, 'DROP', replies, '-A FORWARD -i docker0 ! -o docker0 -j ACCEPT');
test(judges, false, 'DROP', replies, '-A FORWARD -s 10.42.0.0/16 -j ACCEPT');
test(judges, false, 'DROP', '-A FORWARD -i cni0 -j ACCEPT');
test(judges, false, 'DROP', '-A FORWARD -j KUBE-FORWARD',
  '-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT');
test(judges, true, 'DROP', '-A FORWARD -j KUBE-FORWARD',
  '-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT');
test(judges, true, 'DROP', '-A INPUT -j ACCEPT', '-A KUBE-FORWARD -j ACCEPT');
test(judges, false, 'DROP', '-A FORWARD -m state --state NEW,ESTABLISHED -j ACCEPT');
// A loop is what the kernel refuses, and nothing to hang on.
test(judges, true, 'DROP', '-A FORWARD -j KUBE-FORWARD', '-A KUBE-FORWARD -j KUBE-FORWARD');

test('the rule set of either family is looked at', (t) => {
  t.true(forwardClosed(saved('ACCEPT') + saved('DROP')));
});

test('no rules at all are open', (t) => {
  t.false(forwardClosed(''));
  t.false(forwardClosed('*nat\nCOMMIT\n'));
});
