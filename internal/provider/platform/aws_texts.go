package platform

import (
	"fmt"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
)

// malformedAccount is an account id that no account has.
func malformedAccount(at path.Path, id string) diag.Diagnostic {
	return input.Misuse(at, "It is not an AWS account ID. Use its 12 digits as a string, with leading zeros.", input.Fact{"Value", strconv.Quote(id)})
}

func unreadableURL(at path.Path, text string) diag.Diagnostic {
	return input.Misuse(at, `It is not an http or https URL. Use a URL such as "http://127.0.0.1:4566".`, input.Fact{"Value", strconv.Quote(text)})
}

func keyWithout(at path.Path, other string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("It requires aws.%s. Set both, or neither to use the environment.", other))
}

func twoRoles(at path.Path) diag.Diagnostic {
	return input.Misuse(at, "It conflicts with aws.assume_role. Remove one of them.")
}

func roleDuration(at path.Path, text string) diag.Diagnostic {
	return input.Misuse(at, `It is out of range. Use a duration from "15m" to "12h".`, input.Fact{"Value", strconv.Quote(text)})
}

func noTokenFile(at path.Path) diag.Diagnostic {
	return input.Misuse(at, "It is missing. Set the path of the token file, or set the environment variable "+tokenFileVariable+".")
}
