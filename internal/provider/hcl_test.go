package provider_test

import (
	"fmt"
	"strings"
)

// block returns a block of HCL with these lines.
func block(name string, lines ...string) string {
	return name + " {\n" + strings.Join(lines, "\n") + "\n}"
}

// gateBlock returns the block of a gate.
func gateBlock(name string, lines ...string) string {
	return block("gate", append([]string{fmt.Sprintf("name = %q", name)}, lines...)...)
}

// smokeGate returns the gate "smoke" that requests a URL every interval, with more lines.
func smokeGate(url, interval string, more ...string) string {
	return gateBlock("smoke", append([]string{block("http", fmt.Sprintf("url = %q", url)), fmt.Sprintf("interval = %q", interval)}, more...)...)
}

// expectingGate returns the gate "smoke" that passes with status 204 only.
func expectingGate(url string) string {
	return gateBlock("smoke", block("http", fmt.Sprintf("url = %q", url), "expect_status = [204]"), `interval = "10ms"`)
}
