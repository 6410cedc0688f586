// Package route53 is the part of the stand-in that simulates Route 53: hosted zones with record sets, changes that take
// time until the name servers have them, and health checks whose status a test sets. Package nameserver answers DNS queries
// from what it publishes.
//
// A change batch takes effect as a whole or not at all. A DELETE must match all values of the record set. A batch reports
// everything that is wrong with it in one InvalidChangeBatch. A record set is either simple, and alone with its name and
// type, or one of at most 100 with a set identifier of 1 to 128 characters and the same routing policy: weighted, with a
// weight from 0 to 255 and the same TTL, latency, failover, geolocation or multivalue answer. A batch has at most 1000
// records, of which an UPSERT counts twice.
//
// A change is PENDING for Options.Propagation. Until it is INSYNC, the name server answers with the earlier records, while
// the API shows the new ones. The changes of a zone become INSYNC in their order; Hold keeps all of them PENDING.
//
// Lists are sorted by name with the labels in reverse order, then by type, then by set identifier.
//
// Aliases refer to a load balancer of the stand-in, or to a record set of the same zone and type.
//
// Differences from AWS: DNS answers with each latency, geolocation and multivalue answer record set equally often, because
// it does not know where a client is, and codes of regions and countries are only checked for their form. Geoproximity and
// IP-based routing, aliases to other services, traffic policies, delegation sets, DNSSEC and CIDR collections are rejected
// with an error that says so, or as unknown operations. Nothing is checked for the status of a health check. The API
// reference allows one value in a weighted record set; here, several are accepted. Real Route 53 answers with old and new
// records while a change is PENDING, since its name servers get it one after the other. Messages are those of AWS where
// they are known; a comment at the code says where they are not.
package route53
