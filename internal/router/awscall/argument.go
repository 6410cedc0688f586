package awscall

import (
	"encoding/json"
	"maps"
	"strings"
)

// Argument returns a structure of the API as an argument of the AWS command line: in JSON, quoted for
// a POSIX shell.
func Argument(structure any) (string, error) {
	text, err := json.Marshal(structure)
	if err != nil {
		return "", err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return "", err
	}
	if text, err = json.Marshal(withoutEmpty(plain)); err != nil {
		return "", err
	}
	return "'" + strings.ReplaceAll(string(text), "'", `'\''`) + "'", nil
}

// withoutEmpty removes members that are not set: the command line refuses null.
func withoutEmpty(value any) any {
	switch v := value.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, x any) bool { return x == nil || x == "" })
		for key, x := range v {
			v[key] = withoutEmpty(x)
		}
	case []any:
		for i, x := range v {
			v[i] = withoutEmpty(x)
		}
	}
	return value
}
