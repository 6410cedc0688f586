package provider

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// The keys of the private state of a switch.
const (
	memoryKey = "memory" // release.Memory
	planKey   = "plan"   // decisions of a plan, for its apply
)

// planMemory is what a plan decided beside its values.
type planMemory struct {
	Ignored bool `json:"leave,omitempty"`  // the traffic is left as it is
	Switch  int  `json:"switch,omitempty"` // ledger.Switch.ID of the plan, for a second plan of the same switch
}

// private is the framework's private state of a request or response.
type private interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

type privateSetter interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// recall reads the value of a key; it changes nothing where there is none.
func recall(ctx context.Context, from private, key string, into any) diag.Diagnostics {
	text, diags := from.GetKey(ctx, key)
	if diags.HasError() || len(text) == 0 {
		return diags
	}
	if err := json.Unmarshal(text, into); err != nil {
		diags.Append(unreadableMemory(err))
	}
	return diags
}

// remember writes the value of a key.
func remember(ctx context.Context, to privateSetter, key string, value any) diag.Diagnostics {
	text, err := json.Marshal(value)
	if err != nil {
		return diag.Diagnostics{unreadableMemory(err)}
	}
	return to.SetKey(ctx, key, text)
}
