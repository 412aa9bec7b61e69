import { existsSync, openSync, closeSync, writeFileSync } from 'node:fs';
import { familyOf, type Ip } from '../../lb/ip.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import type { RouterBgpSpec } from '../../sim/scenario/parse-bgp.ts';
import type { Machine } from './machine.ts';
import type { LabRecord } from './record.ts';
import { startIn } from './site.ts';

/** A router of the lab that speaks BGP, as the simulator's own router of that name would. */
export interface LabRouterBgp extends RouterBgpSpec {
  /** Its addresses, by device. */
  readonly ips: readonly Ip[];
}

const program = '/usr/sbin/bird';

/** Starts BIRD on a router; the error says what is missing. */
export function startRouter(
  machine: Machine, bgp: LabRouterBgp, record: LabRecord,
): Result<void, string> {
  if (!existsSync(program)) return err('no BIRD: the Debian package bird2 gives bird');
  const config = record.path(`${machine.name}.bird.conf`);
  writeFileSync(config, birdConfig(bgp));
  const log = openSync(record.path(`logs/${machine.name}.bird.log`), 'a');
  startIn(machine.site('bird'), [program, '-f', '-c', config, '-s', controlOf(machine, record)], {
    detached: true, stdio: ['ignore', log, log],
  }).unref();
  closeSync(log);
  return ok(undefined);
}


function controlOf(machine: Machine, record: LabRecord): string {
  return record.path(`${machine.name}.ctl`);
}

/**
 * The configuration of BIRD 2 for a router. Routers that stand for one system pass NO_EXPORT on to
 * each other, as members of a confederation would: here by not interpreting it.
 */
export function birdConfig(bgp: LabRouterBgp): string {
  const { pathsMax, routerId, ips } = bgp;
  const id = routerId ?? ips.find((of) => familyOf(of) === 'IPv4') ?? '192.0.2.1';
  const merge = `merge paths yes limit ${Math.max(1, pathsMax)};`;
  return [
    `router id ${id};`, 'log stderr { info, warning, error, fatal };', 'protocol device {}',
    `protocol kernel { ipv4 { export where source = RTS_BGP; import none; }; ${merge} }`,
    `protocol kernel { ipv6 { export where source = RTS_BGP; import none; }; ${merge} }`,
    ...bgp.neighbours.map((of, index) => neighbour(bgp, of, `n${index}`)), '',
  ].join('\n');
}

function neighbour(
  { asn, hold, keepalive, restartTime, port }: LabRouterBgp,
  of: RouterBgpSpec['neighbours'][number], name: string,
): string {
  const range = of.from.includes('/');
  const whom = range ? `range ${of.from}` : of.from;
  const number = of.asn === 0 ? 'external' : `as ${of.asn}`;
  const channel = 'import all; export where source = RTS_BGP;';
  return [
    `protocol bgp ${name} {`, `  local port ${port} as ${asn};`,
    `  neighbor ${whom} ${range ? '' : `port ${of.port} `}${number};`,
    ...range ? [`  dynamic name "${name}_";`] : [],
    ...range || of.dials ? [] : ['  passive yes;'],
    `  hold time ${hold}; keepalive time ${keepalive};`,
    '  connect delay time 1; connect retry time 2; error wait time 1, 4;',
    '  interpret communities no;',
    restartTime === undefined ? '  graceful restart off;'
      : `  graceful restart on; graceful restart time ${restartTime};`,
    ...of.password === undefined ? [] : [`  password ${JSON.stringify(of.password)};`],
    `  ipv4 { ${channel} extended next hop on; };`, `  ipv6 { ${channel} };`, '}',
  ].join('\n');
}
