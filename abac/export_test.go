package abac

// FailingReasons returns the reasons of all conditions that bind the rights and do not hold, where a decision stops at the
// first.
func FailingReasons(r Rights, c Case) (reasons []Reason) {
	resource, action, _ := ParsePermission(c.Permission)
	for _, one := range r.Constraints.list {
		for i := range one.when {
			if reason := one.when[i].check(&c.Subject, &c.Request, c.Permission); one.binds(r.Role) && one.Covers(resource, action) && reason != Allowed {
				reasons = append(reasons, reason)
			}
		}
	}
	return reasons
}

// Check asks a condition alone, valid or not.
func (c Condition) Check(sub Subject, req Request) Reason { return c.check(&sub, &req, "a:x") }
