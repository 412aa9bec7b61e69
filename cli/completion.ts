import { Argument, type Command } from 'commander';
import { treeOf, type TreeCommand } from './commandtree.ts';
import type { Session } from './session.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

/** `fairlead completion SHELL`: a script to source. It needs no cluster and starts no process. */
export function registerCompletion(program: Command, { console }: Session): void {
  program
    .command('completion')
    .description('completion script: source <(fairlead completion bash)')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: (typeof shells)[number]) => {
      console.out(completionScript(shell, treeOf(program)));
    });
}

/** The script for one shell, generated from the command tree. */
export function completionScript(shell: (typeof shells)[number], tree: TreeCommand): string {
  switch (shell) {
    case 'bash':
      return bashScript(tree);
    case 'zsh':
      return `#compdef fairlead\n${zshScript(tree)}`;
    case 'fish':
      return fishScript(tree);
  }
}

// One table of `path=words` serves bash and zsh: the longest known path before the cursor decides.
function tableLines(tree: TreeCommand): string[] {
  return [tree, ...tree.below].map(({ path, words, flags }) => {
    const candidates = [...words, ...flags].join(' ');
    return `    [${JSON.stringify(path.join(' '))}]=${JSON.stringify(candidates)}`;
  });
}

function bashScript(tree: TreeCommand): string {
  return `_fairlead() {
  local -A words=(
${tableLines(tree).join('\n')}
  )
  local path=fairlead index word
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    [[ -n \${words["$path $word"]+set} ]] && path="$path $word"
  done
  local current=\${COMP_WORDS[COMP_CWORD]} choices=\${words[$path]}
  case \${COMP_WORDS[COMP_CWORD - 1]} in
    -f | --filename) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    -o | --output) choices='table wide json yaml name' ;;
    --color) choices='auto always never' ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
}
complete -o default -F _fairlead fairlead kubectl-fairlead
`;
}

function zshScript(tree: TreeCommand): string {
  return `_fairlead() {
  local -A candidates
  candidates=(
${tableLines(tree).join('\n')}
  )
  local place=fairlead word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    (( \${+candidates[$place $word]} )) && place="$place $word"
  done
  case \${words[CURRENT-1]} in
    -f|--filename) _files; return ;;
    -o|--output) compadd table wide json yaml name; return ;;
    --color) compadd auto always never; return ;;
  esac
  compadd -- \${=candidates[$place]}
}
compdef _fairlead fairlead
`;
}

function fishScript(tree: TreeCommand): string {
  const lines = [tree, ...tree.below].flatMap(({ path, words, flags }) => {
    const typed = path.slice(1);
    const seen = typed.map((word) => `__fish_seen_subcommand_from ${word}`);
    const none = words.length === 0 ? [] : [`not __fish_seen_subcommand_from ${words.join(' ')}`];
    const when = [...seen, ...none].join('; and ');
    const condition = when === '' ? '' : ` -n '${when}'`;
    return [
      ...words.map((word) => `complete -c fairlead -f${condition} -a ${word}`),
      ...flags
        .filter((flag) => flag.startsWith('--'))
        .map((flag) => `complete -c fairlead${condition} -l ${flag.slice(2)}`),
    ];
  });
  return `${lines.join('\n')}\n`;
}
