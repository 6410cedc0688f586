package gates

import (
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// grpcKind asks the health service of a gRPC server.
func grpcKind() kind {
	return kind{
		name:         "grpc",
		inconclusive: 10 * time.Minute,
		description: "Calls `grpc.health.v1.Health/Check` of a gRPC server. `SERVING` passes and `NOT_SERVING` fails, as does a call that fails after it was sent; `UNKNOWN` is inconclusive. " +
			"An unreachable server, an untrusted certificate, a timeout, an unknown service, no health service and a refused call are errors (could not measure).",
		arguments: grpcAttributes(),
		read:      readGRPC,
	}
}

func grpcAttributes() map[string]schema.Attribute {
	all := map[string]schema.Attribute{
		"address": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "Host and port of the server, such as `app.example.com:443`. " + placeholdersNote,
		},
		"service": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Service to ask for, such as `shop.v1.Orders`, as the server registers its health. Default: the server as a whole.",
		},
		"plaintext": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Connect without TLS. Default: `false`.",
		},
		"headers": schema.MapAttribute{
			Optional: true, Sensitive: true, ElementType: types.StringType,
			MarkdownDescription: "Map of header (metadata) to the value to send, such as one that a listener rule matches. " + placeholdersNote + " Sensitive, but stored in the state: use `headers_env` for secrets. Default: none.",
		},
		"headers_env": schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Map of header (metadata) to the name of the environment variable with its value, " + whereSet,
		},
		"insecure_skip_verify": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Accept any server certificate. Default: `false`.",
		},
	}
	maps.Copy(all, connectionArguments())
	all["server_name"] = schema.StringAttribute{
		Optional:            true,
		MarkdownDescription: "Host name that the server certificate must have, and that is sent as SNI and `:authority`, where it differs from the address. Default: the host of the address.",
	}
	return all
}

func readGRPC(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	c := gate.GRPC{
		Address:            r.Text(a["address"]),
		Service:            r.Text(a["service"]),
		Plaintext:          r.Boolean(a["plaintext"]),
		Headers:            r.Texts(at.AtName("headers"), a["headers"]),
		HeadersEnv:         r.Texts(at.AtName("headers_env"), a["headers_env"]),
		Connection:         r.connection(at, a),
		InsecureSkipVerify: r.Boolean(a["insecure_skip_verify"]),
	}
	if r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	return configuration{
		withoutLive: needsLive(at, c.NeedsLive()),
		build:       func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewGRPC(c, deps) },
		files:       r.files(at, a, c.Connection),
	}
}
