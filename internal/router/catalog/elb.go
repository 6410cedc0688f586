package catalog

import "github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"

// LoadBalancer is the router of listeners and rules of load balancers.
func LoadBalancer() Kind {
	return Kind{
		Block:       "load_balancer",
		Backends:    "target_groups",
		Backend:     "target group",
		Limits:      elb.Limits(),
		Owns:        parses(elb.Parse),
		CheckRoute:  checked(elb.ParseRoute),
		CheckGroup:  checked(elb.ParseGroup),
		Label:       elbLabel,
		GroupName:   elbGroupName,
		Place:       elbPlace,
		Connections: elb.IsNetwork,
	}
}

// elbLabel names an ARN without account and region. It returns any other text as it is.
func elbLabel(id string) string {
	a, err := elb.Parse(id)
	if err != nil {
		return id
	}
	return a.Display()
}

// elbGroupName is the name of a target group. It returns any other text as it is.
func elbGroupName(group string) string {
	a, err := elb.ParseGroup(group)
	if err != nil {
		return group
	}
	return a.Name
}

func elbPlace(id string) Place {
	a, err := elb.Parse(id)
	if err != nil {
		return Place{}
	}
	return Place{Partition: a.Partition, Account: a.Account, Region: a.Region}
}
