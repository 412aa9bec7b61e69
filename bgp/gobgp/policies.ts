import type { Ip } from '../../lb/ip.ts';
import type { LargeCommunity } from '../port.ts';
import { ok } from '../../lb/result.ts';
import { together, inOrder, type GobgpClient, type Step } from './client.ts';
import {
  assignmentMessage, definedSetRequest, policyRequest, statementRequest, type StatementMessage,
  type statement,
} from './messages.ts';
import {
  controlPattern, everyControl, importPolicy, next6Name, policyName, setName, type Target,
} from './names.ts';
import { familyMessage } from './pathform.ts';
import type { Dialect } from './dialect.ts';
import type { Write } from './protobuf.ts';
import type { Attributes } from './rib.ts';

const direction = { import: 1, export: 2 } as const;
const accept = 1;
const reject = 2;
const routeTypeLocal = 3;

/** What one target sees: set 0 as carried, any other by its attributes. */
export interface StatementSpec {
  readonly target: Target;
  readonly attributes: Attributes | undefined;
  /** Next hop of IPv6 routes, which adds a statement before the other. */
  readonly next6: Ip | undefined;
}

const importLocal = {
  name: importPolicy, conditions: { route_type: routeTypeLocal },
  actions: { route_action: accept },
};

/** Before the first peer: nothing learned is kept, and nothing is told to anybody (5.4). */
export function installBase(client: GobgpClient): Step {
  return (done) => inOrder([
    (next) => client.call({
      name: 'AddPolicy', fields: policyRequest,
      value: { policy: { name: importPolicy, statements: [importLocal] } },
    }, next),
    assign(client, 'SetPolicyAssignment', { way: 'import', policies: [importPolicy] }),
    assign(client, 'SetPolicyAssignment', { way: 'export', policies: [] }),
  ], done);
}

/** Each of these calls overwrites the default action, so it is always there (G27). */
function assign(
  client: GobgpClient, name: string,
  { way, policies }: { readonly way: 'import' | 'export'; readonly policies: readonly string[] },
): Step {
  return (done) => client.call({
    name, fields: assignmentMessage, value: { assignment: {
      name: 'global', direction: direction[way], default_action: reject,
      policies: policies.map((of) => ({ name: of })),
    } },
  }, done);
}

/** The policy of a new peer, without statements of its own beyond set 0. */
export function addPeerPolicy(
  client: GobgpClient, { index, neighbour, spec }: {
    readonly index: number; readonly neighbour: string; readonly spec: StatementSpec;
  },
): Step {
  return (done) => inOrder([
    // What an interrupted removal left would be added to, and name another peer (G27).
    tolerant(deleteSet(client, 'neighbour', policyName(index))),
    addSet(client, {
      defined_type: client.dialect.definedType.neighbour, name: policyName(index),
      list: [neighbour],
    }),
    addStatements(client, [spec]),
    assign(client, 'AddPolicyAssignment', { way: 'export', policies: [policyName(index)] }),
  ], done);
}

function addSet(
  client: GobgpClient, set: Write<typeof definedSetRequest>['defined_set'] & object,
): Step {
  return (done) => client.call({
    name: 'AddDefinedSet', fields: definedSetRequest, value: { defined_set: set },
  }, done);
}

/** Adds sets and statements to policies, which need not exist. */
export function addStatements(client: GobgpClient, specs: readonly StatementSpec[]): Step {
  return (done) => inOrder([
    (next) => together(specs.map(({ target }) => addSet(client, {
      defined_type: client.dialect.definedType.large, name: setName(target),
      list: [controlPattern(target)],
    })), next),
    ...specs.map((spec): Step => (next) => client.call({
      name: 'AddPolicy', fields: policyRequest, value: {
        policy: {
          name: policyName(spec.target.index), statements: statements(client.dialect, spec),
        },
      },
    }, next)),
  ], done);
}

/** A policy with all that belongs to it; the peer is gone by now. */
export function dropPeerPolicy(
  client: GobgpClient, index: number, sets: readonly Target[],
): Step {
  const steps: readonly Step[] = [
    assign(client, 'DeletePolicyAssignment', { way: 'export', policies: [policyName(index)] }),
    (next) => client.call({
      name: 'DeletePolicy', fields: policyRequest,
      value: { policy: { name: policyName(index) }, all: true },
    }, next),
    // Whoever took them out of the policy by hand left them behind, and their sets in use.
    (next) => together(sets.flatMap((target) => [next6Name(target), setName(target)])
      .map((name) => tolerant(deleteStatement(client, name))), next),
    (next) => together([
      ...sets.map((target) => deleteSet(client, 'large', setName(target))),
      deleteSet(client, 'neighbour', policyName(index)),
    ], next),
  ];
  return (done) => inOrder(steps.map(tolerant), done);
}

/** What is gone already is refused, with a text alone (G1); a daemon that is away is not passed. */
function tolerant(step: Step): Step {
  return (done) => step((result) => {
    done(!result.ok && result.error.kind === 'other' ? ok(undefined) : result);
  });
}

/** Statements that no path names any more. */
export function dropStatements(client: GobgpClient, specs: readonly StatementSpec[]): Step {
  return (done) => inOrder(specs.flatMap((spec): Step[] => [
    (next) => client.call({
      name: 'DeletePolicy', fields: policyRequest, value: {
        policy: {
          name: policyName(spec.target.index),
          statements: namesOf(spec).map((name) => ({ name })),
        },
      },
    }, next),
    // That detached them; their names are taken until they go themselves (G27).
    ...namesOf(spec).map((name) => deleteStatement(client, name)),
    deleteSet(client, 'large', setName(spec.target)),
  ]), done);
}

function namesOf({ target, next6 }: StatementSpec): readonly string[] {
  return next6 === undefined ? [setName(target)] : [next6Name(target), setName(target)];
}

/** A statement that no policy has. */
export function deleteStatement(client: GobgpClient, name: string): Step {
  return (done) => client.call({
    name: 'DeleteStatement', fields: statementRequest, value: { statement: { name }, all: true },
  }, done);
}

export function deleteSet(client: GobgpClient, type: 'large' | 'neighbour', name: string): Step {
  return (done) => client.call({
    name: 'DeleteDefinedSet', fields: definedSetRequest, value: {
      defined_set: { defined_type: client.dialect.definedType[type], name }, all: true,
    },
  }, done);
}

/** The statements of one target, in their order. */
export function statements(
  dialect: Dialect, { target, attributes, next6 }: StatementSpec,
): readonly Write<typeof statement>[] {
  const conditions = {
    neighbor_set: { type: dialect.matchAny, name: policyName(target.index) },
    large_community_set: { type: dialect.matchAny, name: setName(target) },
  };
  const actions = { route_action: accept, ...attributeActions(dialect, attributes) };
  const plain = { name: setName(target), conditions, actions };
  if (next6 === undefined) return [plain];
  return [{
    name: next6Name(target), conditions: { ...conditions, afi_safi_in: [familyMessage('IPv6')] },
    actions: { ...actions, nexthop: { address: next6 } },
  }, plain];
}

function attributeActions(dialect: Dialect, attributes: Attributes | undefined): object {
  const { remove, replace } = dialect.community;
  const large = attributes?.large ?? [];
  return {
    large_community: large.length > 0
      ? { type: replace, communities: large.map((of) => of.join(':')) }
      : { type: remove, communities: [everyControl] },
    ...(attributes === undefined || attributes.communities.length === 0 ? {} : {
      community: { type: replace, communities: attributes.communities.map(communityText) },
    }),
    ...(attributes?.localPref === undefined ? {} : { local_pref: { value: attributes.localPref } }),
  };
}

function communityText(community: number): string {
  return `${Math.floor(community / 65_536)}:${community % 65_536}`;
}

/** What a listed statement of set 1 and beyond gives; the reverse of `statements`. */
export function readAttributes(
  dialect: Dialect, message: StatementMessage, next6: Ip | undefined,
): Attributes {
  const { community, large_community: large, local_pref: localPref } = message.actions ?? {};
  return {
    communities: (community?.communities ?? []).map((text) => {
      const [high = 0, low = 0] = text.split(':').map(Number);
      return high * 65_536 + low;
    }),
    large: large?.type === dialect.community.replace
      ? large.communities.map((text): LargeCommunity => {
        const [admin = 0, data1 = 0, data2 = 0] = text.split(':').map(Number);
        return [admin, data1, data2];
      })
      : [],
    localPref: localPref?.value,
    next6,
  };
}
