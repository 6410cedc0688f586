package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/kubeconfig"
)

// ErrSettingsUnknown says that the provider configuration is not known yet, so that nothing can be called.
var ErrSettingsUnknown = errors.New("the provider configuration depends on values that are known only after apply")

// Session is how the platforms call their APIs. Each reads its own part of it on first use.
type Session struct {
	AWS        AWSSession
	Kubernetes KubernetesSession
}

// KubernetesSession is the Kubernetes configuration of a provider configuration, read on first use.
type KubernetesSession struct {
	Settings kubeconfig.Settings

	mu     sync.Mutex
	config *rest.Config
}

// open returns the configuration of clients.
func (s *KubernetesSession) open() (*rest.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Settings.Unknown {
		return nil, ErrSettingsUnknown
	}
	if s.config == nil {
		config, err := s.Settings.Load()
		if err != nil {
			return nil, err
		}
		s.config = config
	}
	return s.config, nil
}

// clients completes clients. The id is a route or group.
func (s *KubernetesSession) clients(config *rest.Config, id string, c Clients) *Clients {
	c.CheckAccount = func(context.Context) error { return nil }
	c.CredentialsLast = func(_ context.Context, d time.Duration) error { return tokenLasts(config, d) }
	c.Handover = func(context.Context) (json.RawMessage, error) {
		return json.Marshal(handedClients{Kubernetes: &s.Settings, Route: id})
	}
	return &c
}

// tokenLasts reports an error where the token of a configuration expires within d. Credentials that renew themselves,
// or whose expiry is unknown, count as valid.
func tokenLasts(config *rest.Config, d time.Duration) error {
	if config.ExecProvider != nil || config.BearerTokenFile != "" {
		return nil
	}
	end, known := kubeconfig.Expiry(config.BearerToken)
	if !known || end.After(time.Now().Add(d)) {
		return nil
	}
	return fmt.Errorf("%w: the token expires at %s and is needed until %s", errCredentials,
		end.UTC().Format(time.RFC3339), time.Now().Add(d).UTC().Format(time.RFC3339))
}
