package main

import (
	"fmt"
	"maps"
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
	flags, values := map[string][]string{}, map[string]string{}
	var verbs []string
	for _, verb := range parser.Model.Children {
		verbs = append(verbs, verb.Name)
		for _, group := range verb.AllFlags(true) {
			for _, flag := range group {
				flags[verb.Name] = append(flags[verb.Name], "--"+flag.Name)
				if flag.Enum != "" {
					values[flag.Name] = strings.ReplaceAll(flag.Enum, ",", " ")
				}
			}
		}
		slices.Sort(flags[verb.Name])
	}
	text := ""
	switch v.Shell {
	case "fish":
		text = fishScript(parser.Model.Children, flags, values)
	case "zsh":
		text = "#compdef bluegreen\nautoload -U +X bashcompinit && bashcompinit\n" + bashScript(verbs, flags, values)
	default:
		text = bashScript(verbs, flags, values)
	}
	_, err := fmt.Fprint(s.out, text)
	return err
}

func bashScript(verbs []string, flags map[string][]string, values map[string]string) string {
	var b strings.Builder
	b.WriteString("_bluegreen() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n  case \"${COMP_WORDS[1]}\" in\n")
	for _, verb := range verbs {
		fmt.Fprintf(&b, "    %s) words=\"%s\" ;;\n", verb, strings.Join(flags[verb], " "))
	}
	fmt.Fprintf(&b, "  esac\n  if [ \"$COMP_CWORD\" -eq 1 ]; then words=\"%s --help --version\"; fi\n", strings.Join(verbs, " "))
	b.WriteString("  case \"${COMP_WORDS[COMP_CWORD-1]}\" in\n")
	b.WriteString("    -f|--file|-o|--output) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n")
	b.WriteString("    --report-dir) COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n")
	for _, flag := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "    --%s) words=\"%s\" ;;\n", flag, values[flag])
	}
	b.WriteString("  esac\n")
	b.WriteString("  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\ncomplete -F _bluegreen bluegreen\n")
	return b.String()
}

func fishScript(verbs []*kong.Node, flags map[string][]string, values map[string]string) string {
	var b strings.Builder
	b.WriteString("complete -c bluegreen -f\n")
	for _, verb := range verbs {
		fmt.Fprintf(&b, "complete -c bluegreen -n __fish_use_subcommand -a %s -d %q\n", verb.Name, verb.Help)
		for _, flag := range flags[verb.Name] {
			name := strings.TrimPrefix(flag, "--")
			fmt.Fprintf(&b, "complete -c bluegreen -n '__fish_seen_subcommand_from %s' -l %s%s\n", verb.Name, name, fishValue(name, values))
		}
	}
	return b.String()
}

// fishValue is how the value of a flag is completed; empty: not at all.
func fishValue(flag string, values map[string]string) string {
	switch {
	case values[flag] != "":
		return fmt.Sprintf(" -x -a %q", values[flag])
	case flag == "file" || flag == "output":
		return " -r -F"
	case flag == "report-dir":
		return " -x -a '(__fish_complete_directories)'"
	}
	return ""
}
