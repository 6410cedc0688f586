package localaws

import (
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/elbv2"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/nameserver"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/route53"
)

// Route53 returns Route 53, with which a test holds changes at PENDING, sets the status of health checks and reads weights.
func (s *Server) Route53() *route53.Service { return s.route53 }

// DNSAddr returns the address of the DNS server, "127.0.0.1:5353", and "" if it is off.
func (s *Server) DNSAddr() string {
	if s.dns == nil {
		return ""
	}
	return s.dns.Address()
}

// DNSAnswers returns how often the DNS server answered with each record set of a name and a type, by set identifier. It is
// empty if the server is off.
func (s *Server) DNSAnswers(name, kind string) map[string]int {
	if s.dns == nil {
		return map[string]int{}
	}
	return s.dns.Answers(name, kind)
}

// startDNS starts the DNS server if it is on.
func (s *Server) startDNS() error {
	if s.cfg.dns == "" {
		return nil
	}
	if err := checkLoopback(s.cfg.dns); err != nil {
		return fmt.Errorf("listening for DNS: %w", err)
	}
	var err error
	s.dns, err = nameserver.Start(nameserver.Options{
		Log: s.cfg.log, Source: s.route53, Address: s.cfg.dns, Exact: s.cfg.exactDNS, BalancerDomain: elbv2.BalancerDomain,
	})
	return err
}

// closeDNS stops the DNS server.
func (s *Server) closeDNS() error {
	if s.dns == nil {
		return nil
	}
	return s.dns.Close()
}

// balancer returns the load balancer with a DNS name as DNS sees it.
func (s *Server) balancer(name string) (nameserver.Balancer, bool) {
	address, healthy, ok := s.elb.Resolve(name)
	return nameserver.Balancer{Address: address, Healthy: healthy}, ok
}
