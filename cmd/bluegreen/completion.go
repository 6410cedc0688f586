package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionVerb is "bluegreen completion".
type completionVerb struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints a script that completes verbs and flags. It is made from the command line itself.
func (v *completionVerb) Run(s streams, parser *kong.Kong) error {
	flags := map[string][]string{}
	var verbs []string
	for _, verb := range parser.Model.Children {
		verbs = append(verbs, verb.Name)
		for _, group := range verb.AllFlags(true) {
			for _, flag := range group {
				flags[verb.Name] = append(flags[verb.Name], "--"+flag.Name)
			}
		}
		slices.Sort(flags[verb.Name])
	}
	text := ""
	switch v.Shell {
	case "fish":
		text = fishScript(parser.Model.Children, flags)
	case "zsh":
		text = "#compdef bluegreen\nautoload -U +X bashcompinit && bashcompinit\n" + bashScript(verbs, flags)
	default:
		text = bashScript(verbs, flags)
	}
	_, err := fmt.Fprint(s.out, text)
	return err
}

func bashScript(verbs []string, flags map[string][]string) string {
	var b strings.Builder
	b.WriteString("_bluegreen() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n  case \"${COMP_WORDS[1]}\" in\n")
	for _, verb := range verbs {
		fmt.Fprintf(&b, "    %s) words=\"%s\" ;;\n", verb, strings.Join(flags[verb], " "))
	}
	fmt.Fprintf(&b, "  esac\n  if [ \"$COMP_CWORD\" -eq 1 ]; then words=\"%s --help --version\"; fi\n", strings.Join(verbs, " "))
	b.WriteString("  case \"${COMP_WORDS[COMP_CWORD-1]}\" in -f|--file) COMPREPLY=($(compgen -f -- \"$word\")); return ;; esac\n")
	b.WriteString("  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\ncomplete -F _bluegreen bluegreen\n")
	return b.String()
}

func fishScript(verbs []*kong.Node, flags map[string][]string) string {
	var b strings.Builder
	b.WriteString("complete -c bluegreen -f\n")
	for _, verb := range verbs {
		fmt.Fprintf(&b, "complete -c bluegreen -n __fish_use_subcommand -a %s -d %q\n", verb.Name, verb.Help)
		for _, flag := range flags[verb.Name] {
			fmt.Fprintf(&b, "complete -c bluegreen -n '__fish_seen_subcommand_from %s' -l %s\n", verb.Name, strings.TrimPrefix(flag, "--"))
		}
	}
	return b.String()
}
