/** Leases, slices, budgets, scale, flow and definitions; `grammar.ts` says how to read them. */
export const clusterMessages = `
package coordination
Lease
  metadata 1 meta.ObjectMeta; spec 2 LeaseSpec
LeaseSpec
  holderIdentity 1 *string; leaseDurationSeconds 2 *int32; acquireTime 3 *MicroTime;
  renewTime 4 *MicroTime; leaseTransitions 5 *int32; strategy 6 *string;
  preferredHolder 7 *string
package discovery
Endpoint
  addresses 1 []string ! #; conditions 2 EndpointConditions; hostname 3 *string;
  targetRef 4 *core.ObjectReference ^; deprecatedTopology 5 {}string; nodeName 6 *string;
  zone 7 *string; hints 8 *EndpointHints
EndpointConditions
  ready 1 *bool; serving 2 *bool; terminating 3 *bool
EndpointHints
  forZones 1 []ForZone
EndpointPort
  name 1 *string; protocol 2 *string; port 3 *int32; appProtocol 4 *string
EndpointSlice
  metadata 1 meta.ObjectMeta; addressType 4 string !; endpoints 2 []Endpoint !;
  ports 3 []EndpointPort
ForZone
  name 1 string !
package policy
Eviction
  metadata 1 meta.ObjectMeta; deleteOptions 2 *meta.DeleteOptions
PodDisruptionBudget
  metadata 1 meta.ObjectMeta; spec 2 PodDisruptionBudgetSpec; status 3 PodDisruptionBudgetStatus
PodDisruptionBudgetSpec
  minAvailable 1 *IntOrString; selector 2 *meta.LabelSelector ^; maxUnavailable 3 *IntOrString;
  unhealthyPodEvictionPolicy 4 *string
PodDisruptionBudgetStatus
  observedGeneration 1 int64; disruptedPods 2 {}Time; disruptionsAllowed 3 int32 !;
  currentHealthy 4 int32 !; desiredHealthy 5 int32 !; expectedPods 6 int32 !;
  conditions 7 []meta.Condition @type #type
package autoscaling
Scale
  metadata 1 meta.ObjectMeta; spec 2 ScaleSpec; status 3 ScaleStatus
ScaleSpec
  replicas 1 int32
ScaleStatus
  replicas 1 int32 !; selector 2 string
package flowcontrol
FlowDistinguisherMethod
  type 1 string !
FlowSchema
  metadata 1 meta.ObjectMeta; spec 2 FlowSchemaSpec; status 3 FlowSchemaStatus
FlowSchemaCondition
  type 1 string; status 2 string; lastTransitionTime 3 Time; reason 4 string; message 5 string
FlowSchemaSpec
  priorityLevelConfiguration 1 PriorityLevelConfigurationReference !;
  matchingPrecedence 2 int32; distinguisherMethod 3 *FlowDistinguisherMethod;
  rules 4 []PolicyRulesWithSubjects
FlowSchemaStatus
  conditions 1 []FlowSchemaCondition @type #type
GroupSubject
  name 1 string !
NonResourcePolicyRule
  verbs 1 []string ! #; nonResourceURLs 6 []string ! #
PolicyRulesWithSubjects
  subjects 1 []Subject !; resourceRules 2 []ResourcePolicyRule;
  nonResourceRules 3 []NonResourcePolicyRule
PriorityLevelConfigurationReference
  name 1 string !
ResourcePolicyRule
  verbs 1 []string ! #; apiGroups 2 []string ! #; resources 3 []string ! #; clusterScope 4 bool;
  namespaces 5 []string #
ServiceAccountSubject
  namespace 1 string !; name 2 string !
Subject
  kind 1 string !; user 2 *UserSubject; group 3 *GroupSubject;
  serviceAccount 4 *ServiceAccountSubject
UserSubject
  name 1 string !
package apiextensions
CustomResourceColumnDefinition
  name 1 string !; type 2 string !; format 3 string; description 4 string; priority 5 int32;
  jsonPath 6 string !
CustomResourceConversion
  strategy 1 string !; webhook 2 *WebhookConversion
CustomResourceDefinition
  metadata 1 meta.ObjectMeta; spec 2 CustomResourceDefinitionSpec !;
  status 3 CustomResourceDefinitionStatus
CustomResourceDefinitionCondition
  type 1 string !; status 2 string !; lastTransitionTime 3 Time; reason 4 string;
  message 5 string
CustomResourceDefinitionNames
  plural 1 string !; singular 2 string; shortNames 3 []string; kind 4 string !;
  listKind 5 string; categories 6 []string
CustomResourceDefinitionSpec
  group 1 string !; names 3 CustomResourceDefinitionNames !; scope 4 string !;
  versions 7 []CustomResourceDefinitionVersion !; conversion 9 *CustomResourceConversion;
  preserveUnknownFields 10 bool
CustomResourceDefinitionStatus
  conditions 1 []CustomResourceDefinitionCondition #type;
  acceptedNames 2 CustomResourceDefinitionNames; storedVersions 3 []string
CustomResourceDefinitionVersion
  name 1 string !; served 2 bool !; storage 3 bool !; deprecated 7 bool;
  deprecationWarning 8 *string; schema 4 *CustomResourceValidation;
  subresources 5 *CustomResourceSubresources;
  additionalPrinterColumns 6 []CustomResourceColumnDefinition;
  selectableFields 9 []SelectableField
CustomResourceSubresourceScale
  specReplicasPath 1 string !; statusReplicasPath 2 string !; labelSelectorPath 3 *string
CustomResourceSubresourceStatus
CustomResourceSubresources
  status 1 *CustomResourceSubresourceStatus; scale 2 *CustomResourceSubresourceScale
CustomResourceValidation
  openAPIV3Schema 1 *Any
SelectableField
  jsonPath 1 string !
ServiceReference
  namespace 1 string !; name 2 string !; path 3 *string; port 4 *int32
WebhookClientConfig
  url 3 *string; service 1 *ServiceReference; caBundle 2 bytes
WebhookConversion
  clientConfig 2 *WebhookClientConfig; conversionReviewVersions 3 []string !
`;
