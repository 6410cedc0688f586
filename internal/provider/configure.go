package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// configured is embedded in resources and data sources: it holds what the provider's
// Configure made, nil during validation.
type configured struct{ backend *backend }

// configure takes over the provider's data. Terraform also calls it before the provider
// is configured, without any.
func (c *configured) configure(data any) (diags diag.Diagnostics) {
	if data == nil {
		return nil
	}
	b, ok := data.(*backend)
	if !ok {
		return diag.Diagnostics{reportToDevelopers("Cannot configure the resource", fact{"Type", fmt.Sprintf("%T", data)})}
	}
	c.backend = b
	return nil
}
