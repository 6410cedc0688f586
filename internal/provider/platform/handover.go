package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/kubeconfig"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// handedClients is how a guardian makes the clients of this process. It contains secrets.
type handedClients struct {
	Route      string               // one of the routes
	AWS        *handedAWS           `json:",omitempty"`
	Kubernetes *kubeconfig.Settings `json:",omitempty"`
}

// handedAWS is how a guardian calls AWS.
type handedAWS struct {
	Settings AWSSettings
	// Credentials are the present ones, which a guardian uses first: fetching others takes time,
	// and needs what may be gone by then, such as the token of a CI job.
	Credentials aws.Credentials
}

// handover returns how a guardian makes these clients.
func (s *AWSSession) handover(ctx context.Context, route string) (json.RawMessage, error) {
	config, err := s.open(ctx, Of(route).Region(route))
	if err != nil {
		return nil, err
	}
	x := handedAWS{Settings: s.Settings}
	if config.Credentials != nil {
		if x.Credentials, err = config.Credentials.Retrieve(ctx); err != nil {
			return nil, err
		}
	}
	return json.Marshal(handedClients{Route: route, AWS: &x})
}

// Resume makes the clients that Clients.Handover describes, and completes the states of a
// handover for them. It makes no call.
func Resume(ctx context.Context, handed json.RawMessage, h *rollout.Handover) (*Clients, error) {
	var x handedClients
	if err := json.Unmarshal(handed, &x); err != nil {
		return nil, fmt.Errorf("the clients that were handed over: %w", err)
	}
	p := Of(x.Route)
	for i := range h.Routes {
		for _, state := range []*traffic.State{&h.Routes[i].Current, &h.Routes[i].Target} {
			if err := p.restore(state); err != nil {
				return nil, err
			}
		}
	}
	session := &Session{}
	if x.Kubernetes != nil {
		session.Kubernetes.Settings = *x.Kubernetes
	}
	if x.AWS != nil {
		if err := x.AWS.resume(ctx, &session.AWS, p.Region(x.Route)); err != nil {
			return nil, err
		}
	}
	return p.Connect(ctx, session, x.Route)
}

// resume opens a session with the credentials that were handed over.
func (x handedAWS) resume(ctx context.Context, session *AWSSession, region string) error {
	session.Settings = x.Settings
	load := func(ctx context.Context) (aws.Config, error) { return x.Settings.load(ctx, region) }
	config, err := load(ctx)
	if err != nil {
		return err
	}
	if x.Credentials.HasKeys() {
		config.Credentials = reloaded(unexpired{credentials.StaticCredentialsProvider{Value: x.Credentials}}, load)
	}
	session.config = &config
	return nil
}

// unexpired provides credentials until they expire.
type unexpired struct {
	credentials.StaticCredentialsProvider
}

// Retrieve implements aws.CredentialsProvider.
func (u unexpired) Retrieve(context.Context) (aws.Credentials, error) {
	c := u.Value
	if c.CanExpire && time.Now().After(c.Expires) {
		return aws.Credentials{}, fmt.Errorf("they expired at %s", c.Expires.UTC().Format(time.RFC3339))
	}
	return c, nil
}
