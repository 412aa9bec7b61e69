import type { Prefix } from '../../lb/ip.ts';
import { err, ok } from '../../lb/result.ts';
import { together, type GobgpClient, type Step } from './client.ts';
import {
  assignmentMessage, definedSetRequest, listAssignmentRequest, listByName, listDefinedSetRequest,
  listPathRequest, listPathResponse, listPeerRequest, peerMessage, policyRequest, statementRequest,
  type PeerMessage, type PolicyMessage,
} from './messages.ts';
import { importPolicy, targetOfName, indexOfPolicy } from './names.ts';
import { familyMessage, readPath } from './pathform.ts';
import type { PathState } from './rib.ts';
import type { RpcDone } from './rpc.ts';

/** Everything of a daemon that the adapter could have made. */
export interface DaemonListing {
  readonly peers: readonly PeerMessage[];
  readonly paths: ReadonlyMap<Prefix, PathState>;
  readonly policies: readonly PolicyMessage[];
  /** Names of our form that no policy has. */
  readonly orphanStatements: readonly string[];
  readonly sets: { readonly neighbour: readonly string[]; readonly large: readonly string[] };
  /** Names of the policies of the two global assignments, and whether each rejects the rest. */
  readonly imports: AssignmentListing;
  readonly exports: AssignmentListing;
}

export interface AssignmentListing {
  readonly policies: readonly string[];
  readonly rejects: boolean;
}

const reject = 2;

/** Our base policies stand: nothing is learned, nothing is told that we did not allow (5.4). */
export function hasBase({ imports, exports: out }: DaemonListing): boolean {
  return imports.rejects && out.rejects && imports.policies.includes(importPolicy);
}

/** Asks for all of it at once. */
export function listDaemon(client: GobgpClient, done: RpcDone<DaemonListing>): void {
  const found = new Collected(client);
  together(found.steps(), (result) => done(result.ok ? ok(found.listing()) : err(result.error)));
}

/** The peers alone. */
export function listPeers(
  client: GobgpClient, address: string, done: RpcDone<readonly PeerMessage[]>,
): void {
  client.list({
    name: 'ListPeer', fields: listPeerRequest, value: { address },
  }, peerMessage, (reply) => done(reply.ok ? ok(peersOf(reply.value)) : reply));
}

function peersOf(
  replies: readonly { readonly peer: PeerMessage | undefined }[],
): readonly PeerMessage[] {
  return replies.flatMap(({ peer }) => (peer === undefined ? [] : [peer]));
}

class Collected {
  readonly #client: GobgpClient;
  #peers: readonly PeerMessage[] = [];
  #paths = new Map<Prefix, PathState>();
  #policies: readonly PolicyMessage[] = [];
  #statements: readonly string[] = [];
  #sets: { neighbour: readonly string[]; large: readonly string[] } = { neighbour: [], large: [] };
  #assignments = new Map<1 | 2, AssignmentListing>();

  constructor(client: GobgpClient) {
    this.#client = client;
  }

  steps(): readonly Step[] {
    return [
      (done) => listPeers(this.#client, '', (reply) => {
        if (reply.ok) this.#peers = reply.value;
        done(reply.ok ? ok(undefined) : reply);
      }),
      ...(['IPv4', 'IPv6'] as const).map((family): Step => (done) => this.#listPaths(family, done)),
      (done) => this.#listPolicies(done),
      (done) => this.#client.list({
        name: 'ListStatement', fields: listByName, value: {},
      }, statementRequest, (reply) => {
        if (reply.ok) this.#statements = reply.value.map(({ statement }) => statement?.name ?? '');
        done(reply.ok ? ok(undefined) : reply);
      }),
      (done) => this.#listSets('neighbour', done),
      (done) => this.#listSets('large', done),
      (done) => this.#listAssignment(1, done),
      (done) => this.#listAssignment(2, done),
    ];
  }

  listing(): DaemonListing {
    const attached = new Set(this.#policies.flatMap(
      ({ statements }) => statements.map(({ name }) => name),
    ));
    const none: AssignmentListing = { policies: [], rejects: false };
    return {
      peers: this.#peers, paths: this.#paths, policies: this.#policies, sets: this.#sets,
      orphanStatements: this.#statements.filter(
        (name) => targetOfName(name) !== undefined && !attached.has(name),
      ),
      imports: this.#assignments.get(1) ?? none, exports: this.#assignments.get(2) ?? none,
    };
  }

  #listPaths(family: 'IPv4' | 'IPv6', done: RpcDone): void {
    const { dialect } = this.#client;
    this.#client.list({
      name: 'ListPath', fields: listPathRequest,
      value: { table_type: dialect.globalTable, family: familyMessage(family) },
    }, listPathResponse, (reply) => {
      if (!reply.ok) return done(reply);
      for (const { destination } of reply.value) {
        for (const message of destination?.paths ?? []) {
          const path = readPath(dialect, message);
          if (path !== undefined) this.#paths.set(path.prefix, path.state);
        }
      }
      done(ok(undefined));
    });
  }

  #listPolicies(done: RpcDone): void {
    this.#client.list({
      name: 'ListPolicy', fields: listByName, value: {},
    }, policyRequest, (reply) => {
      if (reply.ok) {
        this.#policies = reply.value.flatMap(({ policy }) => (
          policy === undefined || indexOfPolicy(policy.name) === undefined ? [] : [policy]
        ));
      }
      done(reply.ok ? ok(undefined) : reply);
    });
  }

  #listSets(type: 'neighbour' | 'large', done: RpcDone): void {
    this.#client.list({
      name: 'ListDefinedSet', fields: listDefinedSetRequest,
      value: { defined_type: this.#client.dialect.definedType[type] },
    }, definedSetRequest, (reply) => {
      if (reply.ok) {
        this.#sets[type] = reply.value.map(({ defined_set: of }) => of?.name ?? '')
          .filter((name) => targetOfName(name) !== undefined || indexOfPolicy(name) !== undefined);
      }
      done(reply.ok ? ok(undefined) : reply);
    });
  }

  #listAssignment(direction: 1 | 2, done: RpcDone): void {
    this.#client.list({
      name: 'ListPolicyAssignment', fields: listAssignmentRequest,
      value: { name: 'global', direction },
    }, assignmentMessage, (reply) => {
      const [first] = reply.ok ? reply.value : [];
      if (first?.assignment !== undefined) {
        this.#assignments.set(direction, {
          policies: first.assignment.policies.map(({ name }) => name),
          rejects: first.assignment.default_action === reject,
        });
      }
      done(reply.ok ? ok(undefined) : reply);
    });
  }
}
