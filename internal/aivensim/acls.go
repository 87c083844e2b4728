// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"encoding/json"
	"slices"
	"strings"
)

const (
	maxACLRows  = 512
	maxACLRules = 256
)

var (
	openSearchPermissions = []string{"deny", "admin", "read", "readwrite", "write"}
	kafkaPermissions      = []string{"admin", "read", "readwrite", "write"}
	schemaPermissions     = []string{"schema_registry_read", "schema_registry_write"}
	nativeResourceTypes   = []string{"Cluster", "DelegationToken", "Group", "Topic", "TransactionalId", "User"}
	nativePatternTypes    = []string{"LITERAL", "PREFIXED"}
	nativePermissions     = []string{"ALLOW", "DENY"}
	nativeOperations      = []string{
		"All", "Alter", "AlterConfigs", "ClusterAction", "Create", "CreateTokens", "Delete", "Describe",
		"DescribeConfigs", "DescribeTokens", "IdempotentWrite", "Read", "Write",
	}
)

func between(s string, most int) bool { return s != "" && len(s) <= most }

// sentOpenSearchACL tells what a request left out, and nulls.
type sentOpenSearchACL struct {
	Enabled     *bool           `json:"enabled"`
	ACLs        json.RawMessage `json:"acls"`
	ExtendedACL *bool           `json:"extendedAcl"`
}

func (s *Server) openSearchRequest(c *call) (sentOpenSearchACL, []OpenSearchACL, *apiError) {
	var req struct {
		Config *sentOpenSearchACL `json:"opensearch_acl_config"`
	}
	if err := c.decode(&req); err != nil {
		return sentOpenSearchACL{}, nil, err
	}
	if req.Config == nil {
		return sentOpenSearchACL{}, nil, invalidInput("opensearch_acl_config: is a required property")
	}
	var rows []OpenSearchACL
	if len(req.Config.ACLs) > 0 {
		if json.Unmarshal(req.Config.ACLs, &rows) != nil {
			return *req.Config, nil, invalidInput("opensearch_acl_config.acls: is not a list of rows")
		}
	}
	return *req.Config, rows, checkOpenSearchACL(rows)
}

func checkOpenSearchACL(rows []OpenSearchACL) *apiError {
	if len(rows) > maxACLRows {
		return invalidInput("opensearch_acl_config.acls: has more than %d users", maxACLRows)
	}
	for _, row := range rows {
		if !between(row.Username, 64) {
			return invalidInput("opensearch_acl_config.acls.username: must have 1 to 64 characters")
		}
		if len(row.Rules) > maxACLRules {
			return invalidInput("opensearch_acl_config.acls.rules: has more than %d rules", maxACLRules)
		}
		for _, rule := range row.Rules {
			if !between(rule.Index, 249) {
				return invalidInput("opensearch_acl_config.acls.rules.index: must have 1 to 249 characters")
			}
			if !slices.Contains(openSearchPermissions, rule.Permission) {
				return invalidInput("opensearch_acl_config.acls.rules.permission: is not one of %s",
					strings.Join(openSearchPermissions, ", "))
			}
		}
	}
	return nil
}

func (s *Server) getOpenSearchACL(c *call) (any, *apiError) {
	return s.answerOpenSearchACL(c, "")
}

// setOpenSearchACL replaces the whole document.
func (s *Server) setOpenSearchACL(c *call) (any, *apiError) {
	sent, rows, err := s.openSearchRequest(c)
	if err != nil {
		return nil, err
	}
	if sent.Enabled == nil || len(sent.ACLs) == 0 || string(sent.ACLs) == "null" {
		return nil, invalidInput("opensearch_acl_config: acls and enabled are required properties")
	}
	next := OpenSearchACLConfig{Enabled: *sent.Enabled, ACLs: rows}
	err = s.write(c, func(svc *service) *apiError {
		if sent.ExtendedACL != nil {
			next.ExtendedACL = *sent.ExtendedACL
		} else if !c.settings.policy.PostResetsExtendedACL {
			next.ExtendedACL = svc.openSearch.ExtendedACL
		}
		svc.openSearch = next.clone()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.answerOpenSearchACL(c, "updated")
}

// updateOpenSearchACL replaces the top-level fields that are sent.
func (s *Server) updateOpenSearchACL(c *call) (any, *apiError) {
	sent, rows, err := s.openSearchRequest(c)
	if err != nil {
		return nil, err
	}
	replace := len(sent.ACLs) > 0
	if string(sent.ACLs) == "null" {
		switch c.settings.policy.NullACLs {
		case NullACLsKeep:
			replace = false
		case NullACLsClear:
			rows = []OpenSearchACL{}
		default:
			return nil, invalidInput("opensearch_acl_config.acls: is not a list of rows")
		}
	}
	err = s.write(c, func(svc *service) *apiError {
		next := svc.openSearch
		if sent.Enabled != nil {
			next.Enabled = *sent.Enabled
		}
		if sent.ExtendedACL != nil {
			next.ExtendedACL = *sent.ExtendedACL
		}
		if replace {
			next.ACLs = rows
		}
		svc.openSearch = next.clone()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.answerOpenSearchACL(c, "updated")
}

func (s *Server) answerOpenSearchACL(c *call, message string) (any, *apiError) {
	out := map[string]any{}
	if message != "" {
		out[keyMessage] = message
	}
	err := s.read(c, func(svc *service) *apiError {
		out["opensearch_acl_config"] = svc.openSearch.clone()
		return nil
	})
	return out, err
}

func (s *Server) getOpenSearchSecurity(c *call) (any, *apiError) {
	var on bool
	err := s.read(c, func(svc *service) *apiError {
		on = svc.security
		return nil
	})
	return map[string]bool{
		"security_plugin_available":     true,
		"security_plugin_enabled":       on,
		"security_plugin_admin_enabled": on,
	}, err
}

// answerACL answers with a whole list, under the names that it has.
func (s *Server) answerACL(c *call, message string, list func(*service) map[string]any) (any, *apiError) {
	var out map[string]any
	err := s.read(c, func(svc *service) *apiError {
		out = list(svc)
		return nil
	})
	if err == nil && message != "" {
		out[keyMessage] = message
	}
	return out, err
}

func kafkaACLOf(svc *service) map[string]any {
	return map[string]any{"acl": append([]KafkaACLEntry{}, svc.kafkaACL...)}
}

func (s *Server) listKafkaACL(c *call) (any, *apiError) {
	return s.answerACL(c, "", kafkaACLOf)
}

func (s *Server) addKafkaACL(c *call) (any, *apiError) {
	var req KafkaACLEntry
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	if !slices.Contains(kafkaPermissions, req.Permission) || !between(req.Topic, 249) || !between(req.Username, 64) {
		return nil, invalidInput("permission, topic or username is not valid")
	}
	req.ID = newACLID()
	err := s.write(c, func(svc *service) *apiError {
		same := func(e KafkaACLEntry) bool { e.ID = req.ID; return e == req }
		if c.settings.policy.RejectDuplicateKafkaACL && slices.ContainsFunc(svc.kafkaACL, same) {
			return errIdenticalACL
		}
		svc.kafkaACL = append(svc.kafkaACL, req)
		svc.hideACL(req.ID, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.answerACL(c, "added", kafkaACLOf)
}

func (s *Server) deleteKafkaACL(c *call) (any, *apiError) {
	err := s.write(c, func(svc *service) *apiError {
		kept, err := without(svc.kafkaACL, func(e KafkaACLEntry) bool { return e.ID == c.id })
		svc.kafkaACL = kept
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.answerACL(c, "deleted", kafkaACLOf)
}

// without returns a list less the entries that match, and 404 when there are none.
func without[E any](list []E, match func(E) bool) ([]E, *apiError) {
	kept := slices.DeleteFunc(slices.Clone(list), match)
	if len(kept) == len(list) {
		return list, errNoACLEntry
	}
	return kept, nil
}

// pruneACL removes rows that name exactly this user.
func (svc *service) pruneACL(username string) {
	svc.kafkaACL = slices.DeleteFunc(slices.Clone(svc.kafkaACL), func(e KafkaACLEntry) bool { return e.Username == username })
	svc.schemaACL = slices.DeleteFunc(slices.Clone(svc.schemaACL), func(e SchemaRegistryACLEntry) bool { return e.Username == username })
	next := svc.openSearch.clone()
	next.ACLs = slices.DeleteFunc(next.ACLs, func(a OpenSearchACL) bool { return a.Username == username })
	svc.openSearch = next
}

func schemaACLOf(svc *service) map[string]any {
	return map[string]any{"acl": append([]SchemaRegistryACLEntry{}, svc.schemaACL...)}
}

func (s *Server) listSchemaACL(c *call) (any, *apiError) {
	return s.answerACL(c, "", schemaACLOf)
}

// addSchemaACL appends duplicates silently. Aiven: it does, without a 409.
func (s *Server) addSchemaACL(c *call) (any, *apiError) {
	var req SchemaRegistryACLEntry
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	resource := req.Resource == "Config:" || strings.HasPrefix(req.Resource, "Subject:") && len(req.Resource) > len("Subject:")
	if !slices.Contains(schemaPermissions, req.Permission) || !resource || !between(req.Resource, 249) || !between(req.Username, 64) {
		return nil, invalidInput("permission, resource or username is not valid")
	}
	req.ID = newACLID()
	if err := s.write(c, func(svc *service) *apiError {
		svc.schemaACL = append(svc.schemaACL, req)
		svc.hideACL(req.ID, c)
		return nil
	}); err != nil {
		return nil, err
	}
	return s.answerACL(c, "added", schemaACLOf)
}

func (s *Server) deleteSchemaACL(c *call) (any, *apiError) {
	err := s.write(c, func(svc *service) *apiError {
		kept, err := without(svc.schemaACL, func(e SchemaRegistryACLEntry) bool { return e.ID == c.id })
		svc.schemaACL = kept
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.answerACL(c, "deleted", schemaACLOf)
}

func nativeACLOf(svc *service) map[string]any {
	out := kafkaACLOf(svc)
	out["kafka_acl"] = append([]KafkaNativeACLEntry{}, svc.nativeACL...)
	return out
}

func (s *Server) listNativeACL(c *call) (any, *apiError) {
	return s.answerACL(c, "", nativeACLOf)
}

func (s *Server) addNativeACL(c *call) (any, *apiError) {
	var req KafkaNativeACLEntry
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	if req.Host == "" {
		req.Host = "*"
	}
	valid := strings.HasPrefix(req.Principal, "User:") && between(req.Principal, 256) &&
		between(req.ResourceName, 256) &&
		slices.Contains(nativeResourceTypes, req.ResourceType) &&
		slices.Contains(nativePatternTypes, req.PatternType) &&
		slices.Contains(nativeOperations, req.Operation) &&
		slices.Contains(nativePermissions, req.PermissionType)
	if !valid {
		return nil, invalidInput("the entry is not valid")
	}
	req.ID = newACLID()
	err := s.write(c, func(svc *service) *apiError {
		same := func(e KafkaNativeACLEntry) bool { e.ID = req.ID; return e == req }
		if slices.ContainsFunc(svc.nativeACL, same) {
			return errIdenticalACL
		}
		svc.nativeACL = append(svc.nativeACL, req)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"acl": req, keyMessage: "added"}, nil
}

func (s *Server) getNativeACL(c *call) (any, *apiError) {
	var found KafkaNativeACLEntry
	err := s.read(c, func(svc *service) *apiError {
		i := slices.IndexFunc(svc.nativeACL, func(e KafkaNativeACLEntry) bool { return e.ID == c.id })
		if i < 0 {
			return errNoACLEntry
		}
		found = svc.nativeACL[i]
		return nil
	})
	return map[string]any{"acl": found}, err
}

func (s *Server) deleteNativeACL(c *call) (any, *apiError) {
	err := s.write(c, func(svc *service) *apiError {
		kept, err := without(svc.nativeACL, func(e KafkaNativeACLEntry) bool { return e.ID == c.id })
		svc.nativeACL = kept
		return err
	})
	return map[string]any{keyMessage: "deleted"}, err
}
