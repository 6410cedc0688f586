package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
)

// NewServer returns a constructor of the provider's server, with the arguments of New.
func NewServer(version string, busy *Busy, options ...Option) func() tfprotov6.ProviderServer {
	create := New(version, busy, options...)
	return func() tfprotov6.ProviderServer {
		return server{providerserver.NewProtocol6(create())()}
	}
}

// server limits the number of blocks, which the schemas of the framework cannot: Terraform then
// reports a second block that would be ignored, and the documentation has the limit.
type server struct{ tfprotov6.ProviderServer }

// GetProviderSchema implements tfprotov6.ProviderServer.
func (s server) GetProviderSchema(ctx context.Context, req *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	resp, err := s.ProviderServer.GetProviderSchema(ctx, req)
	if err != nil || resp == nil {
		return resp, err
	}
	limitSchema(resp.Provider)
	for _, all := range []map[string]*tfprotov6.Schema{resp.ResourceSchemas, resp.DataSourceSchemas} {
		for _, schema := range all {
			limitSchema(schema)
		}
	}
	return resp, nil
}

func limitSchema(s *tfprotov6.Schema) {
	if s != nil {
		limitBlocks(s.Block)
	}
}

// limitBlocks allows one block of each name, except of those that can be repeated.
func limitBlocks(b *tfprotov6.SchemaBlock) {
	if b == nil {
		return
	}
	for _, nested := range b.BlockTypes {
		if nested.Nesting == tfprotov6.SchemaNestedBlockNestingModeList && !input.IsRepeated(nested.TypeName) {
			nested.MaxItems = 1
		}
		limitBlocks(nested.Block)
	}
}
