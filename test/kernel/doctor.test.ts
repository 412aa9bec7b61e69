import anyTest from 'ava';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { kernelTests, run } from './machine.ts';
import { Place } from './place.ts';

const { skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const main = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');

/** A command line in a network namespace, as an administrator types it there. */
function fairlead(namespace: string, ...words: readonly string[]) {
  const inside = [`--net=/var/run/netns/${namespace}`, process.execPath, main, ...words];
  const { status, stdout, stderr } = spawnSync('nsenter', inside, { encoding: 'utf8' });
  return { exitCode: status, out: stdout, err: stderr };
}

// X15, and the remedy that the check names.
test('one chain of kube-proxy fails service-rules with count 1, until it is removed', async (t) => {
  if (!existsSync('/usr/sbin/iptables')) {
    t.log('skipped: iptables absent');
    return t.pass();
  }
  return Place.with((place) => {
    const namespace = place.namespace();
    const doctor = (): ReturnType<typeof fairlead> => (
      fairlead(namespace, 'doctor', '--check', 'service-rules', '-o', 'json')
    );
    const rowOf = (out: string): unknown => (JSON.parse(out) as { items: unknown[] }).items[0];
    const before = doctor();
    t.is(before.exitCode, 0, before.err);
    t.like(rowOf(before.out), { check: 'service-rules', result: 'OK' });
    const iptables = (...words: readonly string[]): string => execFileSync(
      'ip', ['netns', 'exec', namespace, '/usr/sbin/iptables', '-w', ...words],
      { encoding: 'utf8' },
    );
    iptables('-t', 'nat', '-N', 'KUBE-SVC-ERIFXISQEP7F7OF4');
    const found = doctor();
    t.is(found.exitCode, 1);
    t.deepEqual(rowOf(found.out), {
      check: 'service-rules', result: 'FAIL', detail: '1 rule of kube-proxy (iptables)',
      next: 'remove kube-proxy, then fairlead uninstall --node --kube-proxy-rules',
    });
    // Rules of others in the same tables stay.
    iptables('-t', 'nat', '-N', 'MINE');
    iptables('-t', 'nat', '-A', 'PREROUTING', '-j', 'KUBE-SVC-ERIFXISQEP7F7OF4');
    iptables('-t', 'nat', '-A', 'PREROUTING', '-j', 'MINE');
    const node = `fl-doctor-${process.pid}`;
    const cleaned = fairlead(
      namespace, 'uninstall', '--node', '--kube-proxy-rules', '--node-name', node,
    );
    const said = 'removed 2 kube-proxy rules; restored 0 sysctls; kept: nothing\n';
    t.is(cleaned.out, said, cleaned.err);
    t.is(doctor().exitCode, 0);
    t.regex(iptables('-t', 'nat', '-S', 'PREROUTING'), /-A PREROUTING -j MINE/u);
  });
});

test('prepare reserves ports, leftovers shows it, and uninstall takes it back', async (t) => {
  await Place.with((place) => {
    const namespace = place.namespace();
    const node = ['--node-name', `fl-doctor-${process.pid}.lan`];
    const reserved = (): string => run(
      `ip netns exec ${namespace} sysctl -n net.ipv4.ip_local_reserved_ports`,
    ).trim();
    const prepared = fairlead(namespace, 'prepare', ...node);
    t.is(prepared.out, `node ${node[1]}   prepared\n`, prepared.err);
    t.is(reserved(), '50000-65535');
    const left = fairlead(namespace, 'doctor', '--check', 'leftovers', ...node);
    t.regex(left.out, new RegExp(`${node[1]}: 0 pins, 4 sysctls`, 'u'));
    const cleaned = fairlead(namespace, 'uninstall', '--node', ...node);
    t.is(cleaned.out, 'removed nothing; restored 4 sysctls; kept: nothing\n', cleaned.err);
    t.is(reserved(), '');
    t.is(fairlead(namespace, 'uninstall', '--node', ...node).out, 'nothing to do\n');
  });
});
