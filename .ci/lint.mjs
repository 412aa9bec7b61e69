// The rules of the deterministic core that no ready-made lint rule states (simulator.md 3.2).
// Loaded by oxlint as a plugin; .oxlintrc.json says for which folders.

/** Syntax that brings promises, insertion order of foreign objects or inexact powers. */
const syntax = {
  create(context) {
    const refuse = (message) => (node) => context.report({ node, message });
    const asynchronous = refuse('The core is synchronous: a completion is an event (P3).');
    return {
      ':function[async=true]': asynchronous,
      AwaitExpression: asynchronous,
      'ForOfStatement[await=true]': asynchronous,
      ForInStatement: refuse('for…in also walks inherited keys; iterate over sorted keys.'),
      'BinaryExpression[operator="**"]': refuse('** differs between Node versions (D5).'),
      'AssignmentExpression[operator="**="]': refuse('** differs between Node versions (D5).'),
    };
  },
};

/** State that outlives a world: run N must not differ from run 1 (D10). */
const moduleState = {
  create(context) {
    const top = (selector) => `:matches(Program, Program > ExportNamedDeclaration) > ${selector}`;
    const mutable = (node) => context.report({
      node,
      message: 'Module-level state makes run N differ from run 1 (D10); hang it off its owner.',
    });
    return {
      [top('VariableDeclaration[kind!="const"]')]: mutable,
      [`${top('VariableDeclaration')} > VariableDeclarator`](node) {
        if (isMutableCollection(node)) mutable(node);
      },
      'PropertyDefinition[static=true][readonly!=true]': mutable,
    };
  },
};

const readonlyTypes = new Set(['ReadonlyMap', 'ReadonlySet', 'ReadonlyArray', 'Readonly']);
const collections = new Set(['Map', 'Set', 'WeakMap', 'WeakSet']);

// A constant table says so: it has elements from the start, or a type that refuses more.
function isMutableCollection({ id, init }) {
  if (isReadonly(id.typeAnnotation?.typeAnnotation)) return false;
  if (init?.type === 'ArrayExpression') return init.elements.length === 0;
  if (init?.type === 'ObjectExpression') return init.properties.length === 0;
  return init?.type === 'NewExpression' && collections.has(init.callee.name);
}

function isReadonly(type) {
  return type?.operator === 'readonly' || readonlyTypes.has(type?.typeName?.name);
}

export default {
  meta: { name: 'core' },
  rules: { syntax, 'module-state': moduleState },
};
