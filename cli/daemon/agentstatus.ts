import { clientVersion } from '../version.ts';
import type { AgentSite } from './agentapi.ts';
import { faultText } from './configuration.ts';

export type Verdict = 'OK' | 'WARN' | 'FAIL';

/** One line of `fairlead status`. */
export interface StatusComponent {
  readonly name: string;
  readonly state: Verdict;
  readonly summary: string;
}

export interface StatusProblem {
  readonly severity: Exclude<Verdict, 'OK'>;
  readonly object: string;
  readonly reason: string;
  readonly message: string;
  /** The command that tells more. */
  readonly next: string;
}

/** What one agent says of itself (interface.md 4.1). */
export interface AgentStatus {
  readonly ok: boolean;
  readonly node: string;
  readonly version: string;
  /** Of its life: `running` when all is well. */
  readonly state: string;
  readonly components: readonly StatusComponent[];
  readonly problems: readonly StatusProblem[];
}

export function agentStatus(site: AgentSite): AgentStatus {
  const { at: { nodeName }, agent } = site;
  const problems = [...configProblems(site), ...datapathProblems(site), ...l2Problems(site)];
  const worst = (name: string): Verdict => {
    const found = problems.filter(({ next }) => next.includes(` ${name}`));
    if (found.some(({ severity }) => severity === 'FAIL')) return 'FAIL';
    return found.length === 0 ? 'OK' : 'WARN';
  };
  const services = agent?.tables.services.size ?? 0;
  const l2 = agent?.announcer?.status();
  const held = agent?.announcer?.rows().filter(({ node }) => node === nodeName).length ?? 0;
  return {
    ok: !problems.some(({ severity }) => severity === 'FAIL'),
    node: nodeName, version: clientVersion(), state: agent?.state ?? 'starting',
    components: [
      {
        name: 'agent', state: worst('config'),
        summary: `${agent?.state ?? 'starting'}   version ${clientVersion()}`,
      },
      {
        name: 'datapath', state: worst('lb'),
        summary: `${agent?.datapath.ready() === true ? 'ready' : 'not ready'}`
          + `   services ${services}   pending ${agent?.datapath.pending().length ?? 0}`,
      },
      {
        name: 'l2', state: worst('l2'),
        summary: l2 === undefined
          ? 'nothing is announced from here'
          : `session ${l2.state}   ${held} addresses held   ${l2.sessions} sessions`,
      },
    ],
    problems,
  };
}

function configProblems({ at: { watch, nodeName } }: AgentSite): StatusProblem[] {
  return watch.faults.map((fault) => ({
    severity: 'WARN', object: `node/${nodeName}`, reason: 'ConfigRejected',
    message: faultText(fault), next: 'fairlead config view --origins',
  }));
}

function datapathProblems({ at: { nodeName }, agent }: AgentSite): StatusProblem[] {
  const next = 'fairlead lb list';
  const object = `node/${nodeName}`;
  if (agent === undefined) {
    const message = 'the node is not open yet';
    return [{ severity: 'FAIL', object, reason: 'NotSynced', message, next }];
  }
  const { datapath } = agent;
  const waits = datapath.ready() ? [] : datapath.pending().slice(0, 1);
  return [
    ...waits.map((message) => (
      { severity: 'FAIL', object, reason: 'NotSynced', message, next } as const
    )),
    ...datapath.faults.map(({ servicePort, map, error }) => ({
      severity: 'WARN', object: `service port/${servicePort}`, next,
      reason: error.kind === 'ENOSPC' || error.kind === 'E2BIG' ? 'MapFull' : 'EntryMissing',
      message: `map ${map} refuses a row: ${error.kind}`,
    } as const)),
  ];
}

function l2Problems({ at: { nodeName }, agent }: AgentSite): StatusProblem[] {
  const { announcer } = agent ?? {};
  if (announcer === undefined) return [];
  const { hostLock } = announcer.status();
  const problems: StatusProblem[] = hostLock ? [] : [{
    severity: 'FAIL', object: `node/${nodeName}`, reason: 'HostLock',
    message: 'another process of this machine holds @fairlead-l2', next: 'fairlead l2 status',
  }];
  for (const { ip, candidates, failures, conflict } of announcer.rows()) {
    const next = `fairlead l2 explain ${ip}`;
    if (candidates.length === 0) {
      const rules = failures.slice(0, 5).map(([node, rule]) => `${node} fails ${rule}`).join(', ');
      problems.push({
        severity: 'WARN', object: ip, reason: 'L2NoCandidate', message: rules, next,
      });
    }
    if (conflict !== undefined) {
      const message = `${conflict} claims it`;
      problems.push({ severity: 'WARN', object: ip, reason: 'L2Conflict', message, next });
    }
  }
  return problems;
}
